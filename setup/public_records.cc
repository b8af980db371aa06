// What says who may send in a domain's name, and how its mail is signed: SPF, DKIM, DMARC.
#include <fmt/core.h>

#include <algorithm>

#include "authres/dmarc.h"
#include "authres/key_publication.h"
#include "authres/spf.h"
#include "base/text.h"
#include "base/time.h"
#include "net/dns_name.h"
#include "setup/public_server.h"

namespace relais::setup {
namespace {

using authres::SpfResult;
using net::RecordType;

constexpr std::size_t reports_limit = 5;
constexpr int enough_rsa_bits = 2048;

std::string mechanism(const std::string& address) {
    return (address.find(':') == std::string::npos ? "ip4:" : "ip6:") + address;
}

// An address that nobody sends from (RFC 5737).
constexpr char strangers_address[] = "203.0.113.1";

// The domain of "mailto:reports@example.net!10m"; "" for what is none.
std::string domain_of_report(std::string_view uri) {
    constexpr std::string_view scheme = "mailto:";
    if (!starts_ignoring_case(uri, scheme)) return "";
    uri = uri.substr(scheme.size());
    uri = uri.substr(0, uri.find_first_of("!?"));
    const std::size_t at = uri.rfind('@');
    return at == std::string_view::npos ? "" : lower(uri.substr(at + 1));
}

}  // namespace

// With what stands there, and the addresses of this host in it.
std::string PublicLook::spf_to_publish(const std::string& domain, bool has_exchanger_here) {
    std::string ours;
    if (has_exchanger_here)
        ours = " mx";
    else if (equal_ignoring_case(domain, server_.helo))
        ours = " a";
    else
        for (const std::string& address : addresses_) ours += " " + mechanism(address);
    std::string rest = " -all";
    const net::DnsAnswer answer = dns_.ask(RecordType::txt, domain, deadline_);
    const auto is_spf = [](const net::DnsRecord& record) { return authres::is_spf_record(record.text); };
    const auto record = std::find_if(answer.records.begin(), answer.records.end(), is_spf);
    const bool usable = record != answer.records.end() &&
                        std::holds_alternative<authres::SpfRecord>(authres::parse_spf_record(record->text));
    if (usable) {
        ours.clear();
        for (const std::string& address : addresses_) ours += " " + mechanism(address);
        rest = record->text.substr(std::string_view("v=spf1").size());
    }
    return fmt::format("{}. TXT \"v=spf1{}{}\"{}", domain, ours, rest,
                       record == answer.records.end() ? "" : ", in the place of what is there");
}

void PublicLook::look_at_spf(const std::string& domain, bool has_exchanger_here) {
    bool well = !addresses_.empty();
    const auto asked = [&](const std::string& address) {
        const authres::SpfQuestion question{address, server_.helo, "postmaster@" + domain, server_.me,
                                            now_seconds()};
        return authres::check_spf(dns_, question, deadline_);
    };
    for (const std::string& address : addresses_) {
        const auto outcome = asked(address);
        if (outcome.result == SpfResult::pass) continue;
        well = false;
        if (outcome.result == SpfResult::temperror) {
            ++unanswered_;
            worth(fmt::format("DNS does not tell who may send for {} (SPF): {}", domain, outcome.reason),
                  "try again; if it stays so, look at the zone's name servers");
            continue;
        }
        const std::string text =
            outcome.result == SpfResult::none
                ? fmt::format("{} has no SPF record: large providers refuse its mail, or suspect it", domain)
            : outcome.result == SpfResult::permerror
                ? fmt::format("the SPF record of {} cannot be used: {}", domain, outcome.reason)
                : fmt::format("SPF of {} does not let {} send: {} ({})", domain, address,
                              authres::to_text(outcome.result), outcome.reason);
        wrong(text, spf_to_publish(domain, has_exchanger_here));
        if (outcome.result == SpfResult::none || outcome.result == SpfResult::permerror) return;
    }
    if (!well) return;
    if (asked(strangers_address).result == SpfResult::pass)
        return worth(fmt::format("SPF of {} lets everybody send in its name", domain),
                     "end the record with -all in the place of +all, and name your servers before it");
    good(fmt::format("SPF of {} lets this host send", domain));
}

void PublicLook::look_at_keys(const PublicDomain& domain) {
    if (!domain.trouble.empty())
        return add(Level::unseen,
                   fmt::format("the keys of {} cannot be looked at: {}", domain.name, domain.trouble),
                   "run this as root");
    const bool signs =
        std::any_of(domain.keys.begin(), domain.keys.end(), [](const auto& key) { return key.signs; });
    if (!signs) {
        const std::string text = fmt::format("mail of {} is not signed (DKIM)", domain.name);
        const std::string remedy = domain.keys.empty()
                                       ? fmt::format(
                                             "dkim-key make --type both {0}; publish what it prints; "
                                             "dkim-key use {0}",
                                             domain.name)
                                       : fmt::format("dkim-key use {}", domain.name);
        if (equal_ignoring_case(domain.name, server_.me) && server_.domains.size() > 1)
            note(text + ": that of this host's own programs", remedy);
        else
            wrong(text + ": large providers demand it", remedy);
    }
    for (const PublicKey& key : domain.keys) look_at_key(domain.name, key);
}

void PublicLook::look_at_key(const std::string& domain, const PublicKey& key) {
    const std::string place = key.selector + "._domainkey." + domain;
    const auto ours = authres::parse_key_record(key.record);
    const auto* half = std::get_if<authres::KeyRecord>(&ours);
    const auto answer = ask(RecordType::txt, place);
    if (half == nullptr || !answer) return;
    const auto published = authres::key_published({half->type, half->key}, *answer);
    const std::string record = authres::zone_line(place, key.record);
    if (!published.well)
        add(key.signs ? Level::bad : Level::note,
            fmt::format("{}: {}{}", place, published.text,
                        key.signs ? ": what it signs fails everywhere" : "; it does not sign yet"),
            record);
    else if (published.testing)
        worth(place + ": published in test mode (t=y): others treat its mail as not signed", record);
    else
        good(fmt::format("{} is published{}", place,
                         key.signs ? "" : "; it does not sign (dkim-key use " + domain + ")"));
    if (key.signs && half->type == authres::KeyType::rsa && key.bits < enough_rsa_bits)
        worth(fmt::format("{} has {} bits: that is too few by now", place, key.bits),
              "dkim-key rotate " + domain);
}

void PublicLook::look_at_dmarc(const std::string& domain) {
    const std::string to_publish =
        fmt::format("_dmarc.{0}. TXT \"v=DMARC1; p=none; rua=mailto:postmaster@{0}\"", domain);
    const auto answer = ask(RecordType::txt, "_dmarc." + domain);
    if (!answer) return;
    const auto is_dmarc = [](const net::DnsRecord& each) {
        return authres::parse_dmarc_record(each.text).has_value();
    };
    if (std::count_if(answer->records.begin(), answer->records.end(), is_dmarc) > 1)
        return wrong(fmt::format("_dmarc.{} has several DMARC records: none of them counts", domain),
                     "withdraw all but one");
    authres::DmarcWalks walks(dns_, deadline_);
    const auto& walk = walks.walk(domain);
    if (walk.found.empty() && walk.failed)
        return worth(fmt::format("DNS does not tell the DMARC policy of {}", domain), "try again");
    if (walk.found.empty())
        return wrong(fmt::format("{} has no DMARC record: large providers demand one", domain), to_publish);
    const auto& [place, record] = walk.found.front();
    if (record.unusable)
        return wrong(fmt::format("the DMARC record of {} cannot be used: p=, sp= or np= is wrong", place),
                     to_publish);
    look_at_dmarc_record(domain, place, record);
}

void PublicLook::look_at_dmarc_record(const std::string& domain, const std::string& place,
                                      const authres::DmarcRecord& record) {
    const bool inherited = !equal_ignoring_case(place, domain);
    const auto policy = inherited && record.subdomains ? *record.subdomains : record.policy;
    const std::string whose = inherited ? ", by the record of " + place : "";
    if (policy == authres::DmarcPolicy::none)
        note(fmt::format("DMARC of {} asks for reports only (p=none){}", domain, whose),
             "when the reports show that all its mail passes: p=quarantine, then p=reject");
    else
        good(fmt::format("DMARC of {}: {}{}", domain, authres::to_text(policy), whose));
    if (record.testing)
        note(fmt::format("DMARC of {} is in test mode (t=y): others do one step less", place));
    if (record.aggregate_reports.empty())
        note(fmt::format("DMARC of {} names nobody who gets reports", place),
             "rua=mailto:postmaster@" + place + " in the record");
    for (std::size_t i = 0; i < std::min(record.aggregate_reports.size(), reports_limit); ++i)
        look_at_reports(place, record.aggregate_reports[i]);
}

// A domain that takes reports for another one says so (RFC 9990), or none are sent.
void PublicLook::look_at_reports(const std::string& domain, const std::string& uri) {
    const std::string taker = domain_of_report(uri);
    if (taker.empty() || authres::is_at_or_below(taker, domain) || authres::is_at_or_below(domain, taker))
        return;
    const std::string place = domain + "._report._dmarc." + taker;
    if (!net::is_askable_name(place)) return;
    const auto answer = ask(RecordType::txt, place);
    if (!answer) return;
    const auto agrees = [](const net::DnsRecord& each) { return each.text.starts_with("v=DMARC1"); };
    if (std::any_of(answer->records.begin(), answer->records.end(), agrees)) return;
    worth(fmt::format("{} does not say that it takes DMARC reports of {}: nobody sends them", taker, domain),
          place + ". TXT \"v=DMARC1\"");
}

}  // namespace relais::setup
