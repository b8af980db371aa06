// What keeper and acceptor agree on.
#pragma once

#include "control/home.h"
#include "smtpd/listener.h"

namespace relais::smtpd {

// Exit codes of an acceptor; every other end is trouble too.
inline constexpr int acceptor_wants_restart = 10;  // at once: the rules now set QMAILQUEUE
inline constexpr int acceptor_saw_crash = 11;      // after a pause: a child died by a signal

// Throws Error if control files or rules cannot be read.
void check_readable(const control::Home& home, const ListenerOptions& options);

}  // namespace relais::smtpd
