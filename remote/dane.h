// DANE for SMTP (RFC 7672): what the TLSA records of a server ask of those who connect to it. All that counts
// was validated by DNSSEC, on the whole way from the domain to the records.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "net/resolver_protocol.h"
#include "remote/report.h"
#include "remote/tls_policy.h"
#include "tls/dane.h"

namespace relais::remote {

struct Dane {
    enum class State {
        unvalidated,  // DNSSEC does not vouch for the MX record or the address: nothing was asked
        none,         // there are no records that DNSSEC vouches for
        usable,       // the server must fit one of the records
        unusable,     // none of the records can be used: encryption, whoever the server is
        unknown,      // DNS does not say: nothing may be sent to the server
    };
    State state = State::unvalidated;
    std::string name{};                // where the records are: "_25._tcp.mx.example.org"
    std::vector<tls::Tlsa> records{};  // all that can be used
    std::size_t ignored = 0;           // how many others there are
    std::vector<std::string> names{};  // the TLSA base domain, then what a certificate may be for beside it
    bool forged = false;               // unknown: DNSSEC says so
};

struct DaneQuestion {
    std::string host;
    std::string alias_of;  // empty: the host is no alias (CNAME)
    std::uint16_t port = 25;
    bool secure = false;                     // DNSSEC vouches for its addresses
    std::vector<std::string> other_names{};  // of the domain; empty ones do not count
};

// Asks for the records of a host that was chosen securely: behind its alias first, then at its own name. An
// alias that DNSSEC vouches for counts though what is behind it is not signed.
Dane find_dane(const std::function<net::DnsAnswer(net::RecordType, const std::string&)>& ask,
               const DaneQuestion& question);

// True where a server's records, or its domain's policy (remote/domain_policy.h), may ask for more than this:
// no line names the destination, and the line for everything else, if there is one, neither forbids TLS nor
// verifies.
bool leaves_to_dns(const TlsPolicy& policy);
// The policy with what the records ask for; they must be known.
TlsPolicy with_dane(const TlsPolicy& policy, const Dane& found);

// Whether there are records could not be found out. (#4.4.3)
Verdict dane_unknown(const Dane& found);

}  // namespace relais::remote
