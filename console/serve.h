// The daemon: two halves, and what each gives up.
#pragma once

#include "control/home.h"

namespace relais::console {

// What a browser names where a proxy brings it to the unix socket without saying more.
inline constexpr const char* local_name = "localhost";

// Serves on sockets/console and control/consoleaddress, as qmail-start has started it; in the process that
// calls it and in a child. Ends, with the exit code, when the other half has gone. Throws Error.
int serve(const control::Home& home);

}  // namespace relais::console
