// A session process of a listener: takes one client after the other from the acceptor, as long as the
// service would serve another one.
#pragma once

#include "listen/service.h"

namespace relais::listen {

// Runs until the acceptor closes the channel, or a client was the last one. Returns the exit code.
int run_session_process(Service& service, int channel);

}  // namespace relais::listen
