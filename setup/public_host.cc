// The server itself: its name, its addresses and what they are called, its certificate.
#include <fmt/core.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>

#include "base/text.h"
#include "explain/plain.h"
#include "net/dns_name.h"
#include "net/reverse_name.h"
#include "net/socket.h"
#include "setup/public_certificate.h"
#include "setup/public_server.h"

namespace relais::setup {
namespace {

using net::DnsStatus;
using net::RecordType;

constexpr std::size_t text_limit = 1000;
// Of an address; more names prove nothing, and each costs a question.
constexpr std::size_t reverse_names_limit = 10;
constexpr int days_before_end = 14;

// Others wrote some of it, and it is shown on a terminal.
std::string printable(std::string_view text) {
    return explain::plain(text.substr(0, text_limit));
}

std::string_view address_type(std::string_view address) {
    return address.find(':') == std::string_view::npos ? "A" : "AAAA";
}

}  // namespace

std::vector<std::string> leaving_addresses(const std::vector<std::string>& own,
                                           const std::vector<std::string>& outgoingip,
                                           std::string_view ipversions) {
    std::vector<std::string> bound, left;
    for (const std::string& line : outgoingip)
        if (const auto address = net::canonical_address(line)) bound.push_back(*address);
    const auto is_v6 = [](const std::string& address) { return address.find(':') != std::string::npos; };
    for (const std::string& address : own) {
        const auto same_family = [&](const std::string& each) { return is_v6(each) == is_v6(address); };
        const bool free = std::none_of(bound.begin(), bound.end(), same_family);
        if (ipversions.find(is_v6(address) ? '6' : '4') == std::string_view::npos) continue;
        if (free || std::find(bound.begin(), bound.end(), address) != bound.end()) left.push_back(address);
    }
    return left;
}

void PublicLook::add(Level level, std::string_view text, std::string_view remedy) {
    findings_.push_back({level, printable(text), printable(remedy)});
}

std::optional<net::DnsAnswer> PublicLook::ask(RecordType type, const std::string& name) {
    net::DnsAnswer answer = dns_.ask(type, name, deadline_);
    if (answer.status == DnsStatus::failed) ++unanswered_;
    if (answer.status == DnsStatus::bogus)
        wrong("DNSSEC says that the answer for " + name + " is forged: who checks that sees nothing there",
              "mend the zone's signatures, or withdraw the DS record");
    else if (answer.status == DnsStatus::failed)
        worth("DNS does not answer for " + name + ": nothing is known of what stands there",
              "try again; if it stays so, look at the zone's name servers and at /etc/resolv.conf");
    else
        return answer;
    return std::nullopt;
}

std::vector<std::string> PublicLook::addresses_of(const std::string& name, bool& unanswered) {
    std::vector<std::string> addresses;
    if (!net::is_askable_name(name)) return addresses;
    const std::vector<net::DnsQuestion> questions{{RecordType::a, name}, {RecordType::aaaa, name}};
    for (const net::DnsAnswer& answer : dns_.ask_all(questions, deadline_)) {
        unanswered = unanswered || answer.status == DnsStatus::failed || answer.status == DnsStatus::bogus;
        if (answer.status == DnsStatus::failed) ++unanswered_;
        for (const net::DnsRecord& record : answer.records)
            if (auto address = net::canonical_address(record.text)) addresses.push_back(*std::move(address));
    }
    return addresses;
}

bool PublicLook::is_one_of_ours(const std::vector<std::string>& addresses) const {
    return std::any_of(addresses.begin(), addresses.end(), [&](const std::string& each) {
        return std::find(addresses_.begin(), addresses_.end(), each) != addresses_.end();
    });
}

std::vector<PublicFinding> PublicLook::look() {
    look_at_name();
    for (const std::string& address : addresses_) look_at_reverse(address);
    look_at_certificate();
    for (const PublicDomain& domain : server_.domains)
        if (!gives_up()) look_at_domain(domain);
    if (gives_up())
        worth("DNS does not answer: not everything was looked at",
              "look at /etc/resolv.conf or control/dnsservers, and run this again");
    return std::move(findings_);
}

void PublicLook::look_at_name() {
    const std::string& helo = server_.helo;
    if (!net::is_askable_name(helo) || helo.find('.') == std::string::npos || net::canonical_address(helo))
        return wrong("HELO says \"" + helo + "\", which is no host's full name: servers refuse mail for that",
                     "put the host's name in DNS into control/me, or into control/helohost");
    bool unanswered = false;
    const auto found = addresses_of(helo, unanswered);
    if (unanswered)
        return worth("DNS does not tell all addresses of " + helo + ", the name in HELO", "try again");
    std::string to_publish;
    for (const std::string& address : addresses_)
        if (std::find(found.begin(), found.end(), address) == found.end())
            to_publish += fmt::format("{}{}. {} {}", to_publish.empty() ? "" : "; ", helo,
                                      address_type(address), address);
    if (found.empty())
        return wrong("the name in HELO, " + helo + ", has no address",
                     to_publish.empty() ? helo + ". A ADDRESS" : to_publish);
    if (addresses_.empty()) {
        note(fmt::format("this host has no public address of its own: what {} has is looked at", helo),
             "behind a NAT: say with --address which address others see");
        addresses_ = found;
    }
    if (!to_publish.empty())
        return worth("the name in HELO, " + helo + ", does not lead to each address of this host",
                     to_publish +
                         "; or let mail leave by another one alone (control/outgoingip, "
                         "control/ipversions)");
    good(fmt::format("the name in HELO, {}, has the addresses of this host", helo));
}

// Forward-confirmed reverse DNS: the address has a name, and that name has the address.
void PublicLook::look_at_reverse(const std::string& address) {
    const std::string place = net::reverse_name(address);
    const auto answer = ask(RecordType::ptr, place);
    if (!answer) return;
    const std::string record = fmt::format("{}. PTR {}.", place, server_.helo);
    if (answer->records.empty())
        return wrong(fmt::format("{} has no name (reverse DNS): large providers refuse its mail", address),
                     record + ", which whoever gave you the address publishes");
    std::string names;
    bool unanswered = false;
    for (std::size_t i = 0; i < std::min(answer->records.size(), reverse_names_limit); ++i) {
        const std::string& name = answer->records[i].text;
        names += (names.empty() ? "" : ", ") + name;
        const auto back = addresses_of(name, unanswered);
        if (std::find(back.begin(), back.end(), address) == back.end()) continue;
        if (equal_ignoring_case(name, server_.helo))
            good(fmt::format("{} is called {}, and that leads back to it", address, name));
        else
            note(fmt::format("{} is called {}, which leads back to it; HELO says {}", address, name,
                             server_.helo),
                 "some servers want them to be the same: " + record);
        return;
    }
    if (unanswered)
        return worth(
            fmt::format("DNS does not say whether {}, the name of {}, leads back to it", names, address),
            "try again");
    wrong(fmt::format("{} is called {}, which does not lead back to it: large providers refuse its mail",
                      address, names),
          fmt::format("{}. {} {}; or {}", answer->records[0].text, address_type(address), address, record));
}

void PublicLook::look_at_certificate() {
    if (!server_.certificate_trouble.empty())
        return add(Level::unseen, "the certificate cannot be looked at: " + server_.certificate_trouble,
                   "run this as root");
    const tls::X509Ptr certificate = certificate_in(server_.certificate);
    if (!certificate)
        return wrong(
            "there is no certificate: mail comes in the clear, and providers mark it",
            fmt::format("certbot certonly -d {}, then what qmail-showctl --check says", server_.helo));
    int days = 0, seconds = 0;
    if (ASN1_TIME_diff(&days, &seconds, nullptr, X509_get0_notAfter(certificate.get())) != 1 || days < 0 ||
        seconds < 0)
        wrong("the certificate has expired", "renew it (certbot renew), and look why that did not happen");
    else if (days < days_before_end)
        worth(fmt::format("the certificate ends in {} days", days), "renew it (certbot renew)");
    else
        good(fmt::format("the certificate is valid for {} days", days));
    if (X509_self_signed(certificate.get(), 0) == 1)
        worth("the certificate is signed by itself: servers encrypt with it all the same, but MTA-STS fails",
              fmt::format("one of an authority for {}: certbot certonly -d {}", server_.helo, server_.helo));
    ERR_clear_error();
    look_at_certificate_name(server_.me, false);
}

void PublicLook::look_at_certificate_name(const std::string& name, bool demanded) {
    const tls::X509Ptr certificate = certificate_in(server_.certificate);
    if (!certificate) return;
    const bool fits = X509_check_host(certificate.get(), name.c_str(), name.size(), 0, nullptr) == 1;
    ERR_clear_error();
    if (fits) return good("the certificate is for " + name);
    const std::string remedy = "a certificate with this name in it, too: certbot certonly -d " + name;
    if (demanded)
        wrong("the certificate is not for " + name + ", as the domain's policy (MTA-STS) demands", remedy);
    else
        worth("the certificate is not for " + name + ": who verifies it sends nothing", remedy);
}

}  // namespace relais::setup
