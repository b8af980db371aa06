// One process of the pool: qmail-remote without its program. It serves one order after the other from its
// packet pair (send/delivery_protocol.h) and keeps the connection between them for a short while.
#pragma once

#include <string_view>

#include "control/home.h"
#include "remote/settings.h"
#include "remote/shared_memory.h"
#include "remote/tcpto.h"

namespace relais::remote {

// In front of a password. No order begins so (send/delivery_protocol.h).
inline constexpr std::string_view password_mark = "p";

// Each order comes as qmail-send has given it, with its descriptor. Where its route needs a password, a
// packet of the mark and the password comes before it. The settings are those of qmail-rspawn at the time of
// the fork; this process may not open the files. Serves orders until the channel is closed by qmail-rspawn,
// which cuts off what is under way (interruption.h). Each is answered by one report. Throws Error if the
// channel breaks.
void serve_orders(const control::Home& home, SettingsFiles& settings, TimeoutTable& timeouts,
                  SharedMemory& memory, int channel);

}  // namespace relais::remote
