// The listener of qmail-popd: takes POP3 clients and makes a process for each. It reads nothing from them.
#pragma once

#include "control/home.h"
#include "listen/options.h"

namespace relais::pop3 {

// Binds the places, prints the ports that the kernel has chosen, and runs until SIGTERM; sessions that run
// then go on. So many clients at once as the options say, and of one neighbourhood as control/perip, $PERIP
// or --per-ip. The others are told so and logged. Throws Error when a place cannot be bound.
void run_listener(const control::Home& home, const listen::Options& options);

}  // namespace relais::pop3
