// How a POP3 session opens: what is decided before a client is heard, by qmail-popup and qmail-popd alike.
#pragma once

#include <string>

#include "control/home.h"
#include "pop3/dialogue.h"

namespace relais::pop3 {

// The settings of a dialogue with the client of $TCPREMOTEIP: passwords in clear only over loopback or where
// control/authplain allows them, APOP where apop says so or qmail-authd knows an account with a stored
// secret, the time of control/timeoutpop3d. host stands in the greeting. Throws Error.
DialogueSettings dialogue_settings(const control::Home& home, std::string host, bool tls_first, bool apop);

// The time for a command becomes control/stresstimeout, if that is less: places are scarce.
void hurry(const control::Home& home, DialogueSettings& settings);

// The line for the log for a login that was not taken: answer is what the client hears, "-ERR [CODE] WHY".
std::string refusal_line(std::string_view user, std::string_view answer);

// The line for the log, and the answer, for a client whose neighbourhood has all its places.
std::string too_many_line(std::string_view ip, std::size_t limit, std::string_view source);
inline constexpr std::string_view too_many_answer = "-ERR [SYS/TEMP] too many connections from your address";
inline constexpr std::string_view refused_answer = "-ERR [AUTH] authorization failed";
inline constexpr std::string_view try_later_answer =
    "-ERR [SYS/TEMP] unable to check the password, try again later";

}  // namespace relais::pop3
