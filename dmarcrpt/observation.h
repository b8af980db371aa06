// What a report on DMARC says of one message: found by policy/incoming_checks, told by qmail-smtpd as the
// event "dmarc", kept by qmail-traced, collected by dmarc-report. No addresses: domains and the client's
// alone. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "authres/verification.h"
#include "base/event.h"
#include "trace/protocol.h"

namespace relais::dmarcrpt {

inline constexpr std::string_view event_name = "dmarc";

struct Observation {
    std::string ip{};
    std::string domain{};        // where the record was found
    std::string organization{};  // the domain above it that DMARC takes for its owner
    std::string policy{};        // of the record: "p=none sp=none np=none adkim=r aspf=r t=n", what it has
    std::string from{};          // From's domain
    std::string mail_from{};     // the sender's; "" for <>
    std::string disposition{};   // what was done: "none", "reject", "pass"
    std::string reason{};        // why that is not what the record asks for: type, blank, comment
    std::string dkim{}, spf{};   // "pass" or "fail", aligned
    std::string spf_result{};    // "RESULT SCOPE DOMAIN"
    std::vector<std::string> signatures{};  // "RESULT DOMAIN SELECTOR" each

    bool operator==(const Observation&) const = default;
};

// The first word of control/dmarcreports, if it is a plain address; "" for another. Pure.
std::string reporter_address(std::string_view line);

// Of a message of a domain with a DMARC record. refused: for what DMARC said. exempt: by control/dmarcexempt.
Observation observe(const authres::VerifiedMessage& verified, const authres::SpfQuestion& question,
                    bool refused, bool exempt);
// The event views the observation. id: of the message; 0: it was refused.
Event event_of(const Observation& seen, std::uint64_t id);
// Of what is kept; nothing if it is no such event, or holds what no observation has: it comes by way of
// qmail-smtpd, which speaks with strangers.
std::optional<Observation> observation_of(const trace::Record& record);

}  // namespace relais::dmarcrpt
