// What the steps of a login chain share.
#pragma once

#include <string>

#include "base/program.h"

namespace relais::opensmtp {

// The client's address from TCPREMOTEIP (or TCP6REMOTEIP), canonical. Throws a permanent Error if there is
// none.
std::string client_address();

// Becomes the program that the arguments name, found in $PATH. Throws Error (temporary) if it cannot be run.
[[noreturn]] void run_next(const Arguments& arguments);

}  // namespace relais::opensmtp
