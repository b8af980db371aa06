// A domain's servers, as MX names them, and what holds others to TLS with them.
#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "net/dns_name.h"
#include "net/socket.h"
#include "setup/public_certificate.h"
#include "setup/public_server.h"
#include "tls/dane.h"

namespace relais::setup {
namespace {

using net::RecordType;

constexpr std::size_t exchangers_limit = 20;

}  // namespace

void PublicLook::look_at_domain(const PublicDomain& domain) {
    std::vector<Exchanger> found;
    if (domain.receives) found = exchangers(domain);
    const bool here = std::any_of(found.begin(), found.end(), [](const auto& each) { return each.ours; });
    if (!gives_up()) look_at_spf(domain.name, here);
    if (!gives_up()) look_at_keys(domain);
    if (!gives_up()) look_at_dmarc(domain.name);
    if (!domain.receives || gives_up()) return;
    for (const Exchanger& each : found)
        if (each.ours) look_at_tlsa(each.name);
    look_at_policy(domain.name, found);
}

// Those that can be used, the preferred ones first.
std::vector<PublicLook::Exchanger> PublicLook::exchangers(const PublicDomain& domain) {
    std::vector<Exchanger> found;
    auto answer = ask(RecordType::mx, domain.name);
    if (!answer) return found;
    const std::string record = fmt::format("{}. MX 10 {}.", domain.name, server_.helo);
    if (answer->records.empty()) {
        bool unanswered = false;
        if (is_one_of_ours(addresses_of(domain.name, unanswered))) {
            good(domain.name + " has no MX record; its address, which counts then, is of this host");
            found.push_back({domain.name, true});
        } else if (!unanswered) {
            wrong(domain.name + " has no MX record: nobody can send it mail", record);
        }
        return found;
    }
    std::stable_sort(answer->records.begin(), answer->records.end(),
                     [](const auto& a, const auto& b) { return a.preference < b.preference; });
    if (answer->records[0].text.empty()) {
        wrong(domain.name + " says that it takes no mail (a null MX), and it is in control/rcpthosts",
              record + "; or take it out of control/rcpthosts");
        return found;
    }
    if (answer->records.size() > exchangers_limit) answer->records.resize(exchangers_limit);
    for (const net::DnsRecord& each : answer->records) {
        bool unanswered = false;
        if (!is_usable_exchanger(domain.name, each.text)) continue;
        found.push_back({each.text, is_one_of_ours(addresses_of(each.text, unanswered))});
    }
    const auto ours =
        std::find_if(found.begin(), found.end(), [](const Exchanger& each) { return each.ours; });
    if (ours != found.end())
        good(fmt::format("mail for {} is sent here: MX {}", domain.name, ours->name));
    else if (!found.empty())
        worth(fmt::format("mail for {} is sent to {} and not to this host", domain.name, found[0].name),
              record + "; if that is meant, take the domain out of control/rcpthosts");
    return found;
}

bool PublicLook::is_usable_exchanger(const std::string& domain, const std::string& name) {
    if (net::canonical_address(name) || !net::is_askable_name(name)) {
        wrong(fmt::format("the MX {} of {} is no name of a host: nobody sends there", name, domain),
              fmt::format("{}. MX 10 {}.", domain, server_.helo));
        return false;
    }
    const auto alias = ask(RecordType::cname, name);
    if (!alias) return false;
    if (!alias->records.empty())
        worth(fmt::format("the MX {} of {} is an alias (CNAME): some servers refuse to send there", name,
                          domain),
              fmt::format("{}. MX 10 {}.", domain, alias->records[0].text));
    bool unanswered = false;
    if (!addresses_of(name, unanswered).empty()) return true;
    if (unanswered)
        worth(fmt::format("DNS does not tell the addresses of {}, the MX of {}", name, domain), "try again");
    else
        wrong(fmt::format("the MX {} of {} has no address", name, domain),
              fmt::format("{}. A ADDRESS; or withdraw this MX record", name));
    return false;
}

// Who verifies by DANE sends nothing to a server whose records do not fit.
void PublicLook::look_at_tlsa(const std::string& exchanger) {
    const std::string place = "_25._tcp." + exchanger;
    const auto answer = ask(RecordType::tlsa, place);
    if (!answer || answer->records.empty() || !server_.certificate_trouble.empty()) return;
    if (!answer->secure)
        return note(place + " has TLSA records, but DNSSEC does not vouch for them here: they do not count",
                    "sign the zone; or, if it is signed, let this host's resolver validate "
                    "(control/dnsanchors)");
    const std::string wanted = key_hash(server_.certificate);
    bool authority = false, fits = false;
    for (const net::DnsRecord& record : answer->records) {
        const auto tlsa = tls::parse_tlsa(record.text);
        if (!tlsa || !tls::is_usable(*tlsa)) continue;
        authority = authority || tlsa->usage == 2;
        fits = fits || (tlsa->usage == 3 && fits_certificate(*tlsa, server_.certificate));
    }
    const std::string record = fmt::format("{}. TLSA 3 1 1 {}", place, wanted);
    if (fits)
        good("the TLSA records of " + exchanger + " fit the certificate");
    else if (authority)
        note("the TLSA records of " + exchanger + " name an authority: whether it signed was not looked at");
    else
        wrong("no TLSA record of " + exchanger + " fits the certificate: who goes by DANE sends nothing",
              record);
}

void PublicLook::look_at_policy(const std::string& domain, const std::vector<Exchanger>& exchangers) {
    const std::string place = "_mta-sts." + domain;
    const auto answer = ask(RecordType::txt, place);
    if (!answer) return;
    std::vector<std::string> texts;
    for (const net::DnsRecord& record : answer->records) texts.push_back(record.text);
    const auto said = [](const std::string& text) { return text.starts_with("v=STSv1"); };
    if (std::none_of(texts.begin(), texts.end(), said)) return;
    const auto id = sts::policy_id(texts);
    if (!id)
        return wrong("the record at " + place + " is none of MTA-STS, or one of several: it does not count",
                     place + ". TXT \"v=STSv1; id=...\", one alone: mta-sts make prints it");
    const sts::Found found = policies_(domain, *id);
    if (found.state == sts::Found::State::unknown)
        return note(
            domain + " publishes MTA-STS; its policy was not looked at, as qmail-stsd does not answer",
            "1 in control/mtasts, and run this again");
    if (found.state == sts::Found::State::none)
        return wrong(
            fmt::format("{} publishes MTA-STS, but its policy cannot be had: {}", domain, found.reason),
            fmt::format("serve https://mta-sts.{}/.well-known/mta-sts.txt (mta-sts make); or withdraw {}",
                        domain, place));
    if (found.policy.mode == sts::Mode::none) return note(domain + " has a policy of MTA-STS of mode none");
    const bool enforced = found.policy.mode == sts::Mode::enforce;
    bool well = true;
    for (const Exchanger& each : exchangers) {
        if (each.ours) look_at_certificate_name(each.name, enforced);
        if (sts::admits(found.policy, each.name)) continue;
        well = false;
        add(enforced ? Level::bad : Level::look,
            fmt::format("the policy of {} (MTA-STS) does not admit its MX {}", domain, each.name),
            fmt::format("mx: {} in the policy, and a new id in {}", each.name, place));
    }
    if (well)
        good(fmt::format("the policy of {} (MTA-STS, {}) admits its servers", domain,
                         sts::name_of(found.policy.mode)));
}

}  // namespace relais::setup
