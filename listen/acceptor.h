// The acceptor of a listener (service.h).
#pragma once

#include "listen/options.h"
#include "listen/service.h"

namespace relais::listen {

// Runs until SIGTERM, or until the keeper should start another one (keeper.h). Returns the exit code.
// Throws Error when the sockets cannot be used.
int run_acceptor(Service& service, const Options& options);

}  // namespace relais::listen
