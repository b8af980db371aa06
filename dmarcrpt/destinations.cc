#include "dmarcrpt/destinations.h"

#include <algorithm>
#include <charconv>

#include "authres/dmarc.h"
#include "base/idna.h"
#include "base/text.h"
#include "mail/address.h"
#include "net/dns_name.h"

namespace relais::dmarcrpt {
namespace {

using net::DnsStatus, net::RecordType;

bool unanswered(const net::DnsAnswer& answer) {
    return answer.status == DnsStatus::failed || answer.status == DnsStatus::bogus;
}

// What a domain of others says to reports about this one. It may name another address of its own.
enum class Consent { yes, no, unknown };

class Agreements {
  public:
    Agreements(authres::Dns& dns, const std::string& domain, Deadline deadline)
        : dns_(dns), walks_(dns, deadline), domain_(domain), deadline_(deadline) {}

    Consent ask(std::string& address) {
        const std::string taker(mail::split_address(address).domain);
        const auto& ours = walks_.walk(domain_);
        const std::string organization = ours.organizational_domain;
        bool failed = ours.failed;
        if (authres::is_at_or_below(taker, organization)) {
            const auto& theirs = walks_.walk(taker);
            if (theirs.organizational_domain == organization) return Consent::yes;
            failed = failed || theirs.failed;
        }
        if (failed) return Consent::unknown;
        const std::string place = domain_ + "._report._dmarc." + taker;
        if (!authres::is_domain_name(place)) return Consent::no;
        const auto answer = dns_.ask(RecordType::txt, place, deadline_);
        if (unanswered(answer)) return Consent::unknown;
        const auto agreed = authres::only_record(answer);
        if (!agreed) return Consent::no;
        for (const std::string& uri : agreed->aggregate_reports) {
            const std::string other = address_of(uri);
            if (!other.empty() && equal_ignoring_case(mail::split_address(other).domain, taker))
                address = other;
        }
        return Consent::yes;
    }

  private:
    authres::Dns& dns_;
    authres::DmarcWalks walks_;
    const std::string& domain_;
    Deadline deadline_;
};

}  // namespace

std::string address_of(std::string_view uri) {
    constexpr std::string_view scheme = "mailto:";
    if (!starts_ignoring_case(uri, scheme)) return "";
    uri = uri.substr(scheme.size(), uri.find_first_of("?#") - scheme.size());
    std::string address;
    for (std::size_t i = 0; i < uri.size(); ++i) {
        if (uri[i] != '%') {
            address += uri[i];
            continue;
        }
        const std::string_view digits = uri.substr(i + 1, 2);
        unsigned octet = 0;
        const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), octet, 16);
        if (digits.size() != 2 || read.ptr != digits.data() + 2) return "";
        address += static_cast<char>(octet);
        i += 2;
    }
    const mail::AddressParts parts = mail::split_address(address);
    const bool right =
        !parts.local.empty() && net::is_askable_name(parts.domain) && address.size() <= mail::address_limit &&
        std::all_of(address.begin(), address.end(), [](char c) { return c > ' ' && c < 127; }) &&
        address.find_first_of("<>\"(),;:\\[]") == std::string::npos;
    return right ? std::string(parts.local) + "@" + ascii_domain(parts.domain) : "";
}

Destinations find_destinations(authres::Dns& dns, const std::string& domain, Deadline deadline) {
    Destinations found;
    const auto answer = dns.ask(RecordType::txt, "_dmarc." + domain, deadline);
    found.failed = unanswered(answer);
    const auto record = authres::only_record(answer);
    if (!record) return found;
    Agreements agreements(dns, domain, deadline);
    const std::size_t looked_at = std::min(record->aggregate_reports.size(), uris_looked_at);
    for (std::size_t i = 0; i < looked_at; ++i) {
        Destination destination{address_of(record->aggregate_reports[i]), record->aggregate_limits[i]};
        if (destination.address.empty()) continue;
        const Consent consent = agreements.ask(destination.address);
        found.failed = found.failed || consent == Consent::unknown;
        const bool known = std::any_of(found.to.begin(), found.to.end(), [&](const Destination& other) {
            return other.address == destination.address;
        });
        if (consent == Consent::yes && !known) found.to.push_back(std::move(destination));
        if (found.to.size() >= destinations_limit) break;
    }
    return found;
}

}  // namespace relais::dmarcrpt
