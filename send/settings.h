// qmail-send's control files. A concurrency of 0 stops deliveries of that kind.
#pragma once

#include "control/home.h"
#include "send/sender.h"

namespace relais::send {

// Everything. Throws Error.
Settings read_settings(const control::Home& home);
// concurrencylocal, concurrencyremote and queuelifetime alone. Throws Error.
void read_numbers(const control::Home& home, Settings& settings);

}  // namespace relais::send
