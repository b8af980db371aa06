// One process of the pool: qmail-remote without its program. It serves one order after the other from its
// packet pair (send/delivery_protocol.h) and keeps the connection between them for a short while.
#pragma once

#include "control/home.h"
#include "remote/shared_memory.h"
#include "remote/tcpto.h"

namespace relais::remote {

// Serves orders until the channel is closed by qmail-rspawn, which cuts off what is under way
// (interruption.h). Each is answered by one report. Throws Error if the channel breaks.
void serve_orders(const control::Home& home, TimeoutTable& timeouts, SharedMemory& memory, int channel);

}  // namespace relais::remote
