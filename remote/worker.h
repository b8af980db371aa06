// One process of the pool: qmail-remote without its program. It serves one order after the other from its
// packet pair (send/delivery_protocol.h) and keeps the connection between them for a short while.
#pragma once

#include <string_view>

#include "control/home.h"
#include "remote/settings.h"
#include "remote/shared_memory.h"
#include "remote/tcpto.h"

namespace relais::remote {

// In front of a password, which may be empty: a packet without an octet would be the channel's end.
inline constexpr std::string_view password_mark = "p";

// Each order comes as two packets: the mark with the password of its route, if it needs one, then the order
// as qmail-send has given it, with its descriptor. The settings are those of qmail-rspawn at the time of the
// fork; this process may not open the files. Serves orders until the channel is closed by qmail-rspawn, which
// cuts off what is under way (interruption.h). Each is answered by one report. Throws Error if the channel
// breaks.
void serve_orders(const control::Home& home, SettingsFiles& settings, TimeoutTable& timeouts,
                  SharedMemory& memory, int channel);

}  // namespace relais::remote
