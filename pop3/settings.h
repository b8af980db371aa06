// What both ends of a POP3 session read from control/.
#pragma once

#include <chrono>

#include "control/home.h"

namespace relais::pop3 {

// control/timeoutpop3d, 1200 seconds without it or if this user may not read it.
std::chrono::seconds session_timeout(const control::Home& home);

// control/smtputf8; false if this user may not read it.
bool offers_utf8(const control::Home& home);

// How many lines that are no command are answered before the connection is closed.
inline constexpr unsigned bad_commands_limit = 20;

}  // namespace relais::pop3
