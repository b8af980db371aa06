#include "dmarcrpt/observation.h"

#include <arpa/inet.h>
#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "base/idna.h"
#include "base/text.h"
#include "mail/address.h"
#include "net/dns_name.h"

namespace relais::dmarcrpt {
namespace {

using authres::DmarcPolicy, authres::DmarcResult;

// A report has few of them (RFC 9990 lets a reporter choose).
constexpr std::size_t signatures_limit = 10;
constexpr std::size_t text_limit = 400;

std::string policy_text(const authres::DmarcRecord& record) {
    std::string text = fmt::format("p={}", to_text(record.policy));
    if (record.subdomains) text += fmt::format(" sp={}", to_text(*record.subdomains));
    if (record.nonexistent) text += fmt::format(" np={}", to_text(*record.nonexistent));
    return text + fmt::format(" adkim={} aspf={} t={}", record.strict_dkim ? 's' : 'r',
                              record.strict_spf ? 's' : 'r', record.testing ? 'y' : 'n');
}

std::string domain_of(std::string_view address) {
    const std::size_t at = address.rfind('@');
    const std::string domain =
        at == std::string_view::npos ? "" : ascii_domain(authres::without_final_dot(address.substr(at + 1)));
    return authres::is_domain_name(domain) ? domain : "";
}

// A word of a value that is separated by blanks.
std::string word(std::string_view text) {
    return text.empty() ? "-" : safe_for_log(text.substr(0, 255));
}

std::string reason_of(const authres::DmarcOutcome& dmarc, bool refused, bool exempt) {
    if (dmarc.result != DmarcResult::fail || dmarc.published == DmarcPolicy::none) return "";
    if (refused && dmarc.effective == DmarcPolicy::reject) return "";
    if (exempt) return "trusted_forwarder";
    if (dmarc.testing && dmarc.effective == DmarcPolicy::none) return "policy_test_mode t=y";
    return "local_policy what fails is not kept apart here";
}

bool is_plain(std::string_view text) {
    return text.size() <= text_limit &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c < 127; });
}

bool is_address(const std::string& text) {
    std::array<unsigned char, 16> octets{};
    return ::inet_pton(AF_INET, text.c_str(), octets.data()) == 1 ||
           ::inet_pton(AF_INET6, text.c_str(), octets.data()) == 1;
}

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> known) {
    return std::find(known.begin(), known.end(), text) != known.end();
}

}  // namespace

std::string reporter_address(std::string_view line) {
    line = trim(line);
    const std::string_view address = line.substr(0, line.find_first_of(" \t"));
    const mail::AddressParts parts = mail::split_address(address);
    const bool right = is_plain(address) && !parts.local.empty() && net::is_askable_name(parts.domain) &&
                       address.find_first_of("<>\"(),;:\\[]") == std::string_view::npos;
    return right ? std::string(address) : "";
}

Observation observe(const authres::VerifiedMessage& verified, const authres::SpfQuestion& question,
                    bool refused, bool exempt) {
    const authres::DmarcOutcome& dmarc = verified.dmarc;
    Observation seen;
    seen.ip = question.ip;
    seen.domain = lower(dmarc.policy_domain);
    seen.organization = lower(dmarc.organizational_domain);
    seen.policy = policy_text(dmarc.record.value_or(authres::DmarcRecord{}));
    seen.from = dmarc.from_domain;
    seen.mail_from = domain_of(question.sender);
    seen.disposition = refused ? "reject" : dmarc.result == DmarcResult::pass ? "pass" : "none";
    seen.reason = reason_of(dmarc, refused, exempt);
    seen.dkim = dmarc.dkim_aligned ? "pass" : "fail";
    seen.spf = dmarc.spf_aligned ? "pass" : "fail";
    seen.spf_result = fmt::format("{} {} {}", to_text(verified.spf.result),
                                  verified.spf.of_helo ? "helo" : "mfrom", word(verified.spf.domain));
    for (const authres::DkimVerdict& verdict : verified.dkim.signatures)
        if (seen.signatures.size() < signatures_limit && !verdict.domain.empty())
            seen.signatures.push_back(fmt::format("{} {} {}", to_text(verdict.result), word(verdict.domain),
                                                  word(verdict.selector)));
    return seen;
}

Event event_of(const Observation& seen, std::uint64_t id) {
    Event event{event_name};
    if (id != 0) event.with("msg", id);
    event.with("ip", seen.ip)
        .with("domain", seen.domain)
        .with("org", seen.organization)
        .with("policy", seen.policy)
        .with("from", seen.from)
        .with("mailfrom", seen.mail_from)
        .with("disposition", seen.disposition)
        .with("reason", seen.reason)
        .with("dkim", seen.dkim)
        .with("spf", seen.spf)
        .with("spfresult", seen.spf_result);
    return event.with("signature", Event::List(seen.signatures));
}

std::optional<Observation> observation_of(const trace::Record& record) {
    if (record.kind != event_name) return std::nullopt;
    Observation seen;
    for (const auto& [name, member] :
         std::initializer_list<std::pair<std::string_view, std::string*>>{{"ip", &seen.ip},
                                                                          {"domain", &seen.domain},
                                                                          {"org", &seen.organization},
                                                                          {"policy", &seen.policy},
                                                                          {"from", &seen.from},
                                                                          {"mailfrom", &seen.mail_from},
                                                                          {"disposition", &seen.disposition},
                                                                          {"reason", &seen.reason},
                                                                          {"dkim", &seen.dkim},
                                                                          {"spf", &seen.spf},
                                                                          {"spfresult", &seen.spf_result}}) {
        *member = record.field(name);
        if (!is_plain(*member)) return std::nullopt;
    }
    for (const auto& [name, value] : record.fields)
        if (name == "signature" && is_plain(value) && seen.signatures.size() < signatures_limit)
            seen.signatures.push_back(value);
    const bool right = is_address(seen.ip) && net::is_askable_name(seen.domain) &&
                       seen.domain == lower(seen.domain) && net::is_askable_name(seen.organization) &&
                       net::is_askable_name(seen.from) &&
                       is_one_of(seen.disposition, {"none", "reject", "pass"}) &&
                       is_one_of(seen.dkim, {"pass", "fail"}) && is_one_of(seen.spf, {"pass", "fail"});
    if (!right) return std::nullopt;
    return seen;
}

}  // namespace relais::dmarcrpt
