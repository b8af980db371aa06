// The verdict on one recipient of one message: whether it passes, and the reply if it does not. The one order
// in which the rules are asked, for the session and for relay-explain.
#pragma once

#include <string>
#include <string_view>

#include "smtpd/client.h"
#include "smtpd/policy.h"
#include "smtpd/settings.h"

namespace relais::smtpd {

// The reply to a path that is none, or too long.
inline constexpr std::string_view syntax_error = "555 syntax error (#5.5.4)";

enum class Cause {
    none,           // it passes
    bad_sender,     // control/badmailfrom
    local_sender,   // control/localsenders: an outsider with a sender of ours
    foreign_login,  // control/senderlogins: the login may not use this sender
    no_right,       // policy/decision.h says no
    too_long,       // the recipient with the value of RELAYCLIENT
    unknown,        // control/recipientcheck: nobody here gets mail for it
    cannot_tell,    // whether somebody does
};

struct Verdict {
    Cause cause = Cause::none;
    std::string reply;            // to RCPT; "" if it passes
    std::string why;              // what the log says beside the reply
    std::string suspicion;        // what the log says of a recipient that passes all the same
    std::string recipient;        // as the queue shall have it
    policy::Decision decision{};  // not asked for (and empty) after bad_sender and local_sender
};

// recipient is a path's address, not empty. Throws Error when a file cannot be read.
Verdict judge(Policy& policy, const Settings& settings, const Client& client, std::string_view sender,
              std::string_view recipient);

// A reply is one line, whatever a file or a content filter says.
std::string one_line(std::string_view text);

}  // namespace relais::smtpd
