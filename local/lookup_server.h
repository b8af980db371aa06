// The process that looks users up for qmail-lspawn: "qmail-getpw -s". local/lookup.h has the protocol.
#pragma once

#include "control/home.h"

namespace relais::local {

// Makes sure to be qmailp and nothing else, answers questions until the other end of socket is closed, and
// returns the exit code. Throws Error.
int serve_lookups(const control::Home& home, int socket);

}  // namespace relais::local
