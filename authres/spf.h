// Sender Policy Framework (RFC 7208): may this client send mail for this domain?
#pragma once

#include <cstdint>
#include <string>

#include "authres/dns.h"
#include "authres/spf_record.h"

namespace relais::authres {

struct SpfQuestion {
    std::string ip;    // the client's address
    std::string helo;  // what it said it is
    std::string
        sender;  // MAIL FROM, without brackets; empty: <>, and HELO's domain is checked as postmaster's
    std::string receiver = "unknown";  // our name, for explanations
    std::int64_t now = 0;              // seconds since 1970, for explanations
};

struct SpfOutcome {
    SpfResult result = SpfResult::none;
    std::string domain;       // that was checked first
    bool of_helo = false;     // it is HELO's, for the sender is empty
    std::string reason;       // one line of printable ASCII
    std::string explanation;  // the domain's own, for a fail, printable ASCII; may be empty
    unsigned lookups = 0;     // terms that asked DNS (RFC 7208, 4.6.4)
};

// Limits are those of RFC 7208, 4.6.4: 10 terms that ask, 2 void look-ups, 10 names of MX and PTR. A deadline
// that passes is a temperror. Never throws.
SpfOutcome check_spf(Dns& dns, const SpfQuestion& question, Deadline deadline);

}  // namespace relais::authres
