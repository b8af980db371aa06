// dmarc-report send: of what qmail-traced keeps, a report for each domain that asks for some, into the queue.
#pragma once

#include <cstdint>

#include "control/home.h"

namespace relais::dmarcrpt {

// Between two tries of what could not be sent; no run may take longer.
inline constexpr std::uint64_t retry_seconds = 3600;

enum class Sending { due, print };
// The reports of the last three whole days (UTC) that have not been sent. print: says what would be sent, and
// sends nothing. False if some of it has to wait. Throws Error.
bool send_reports(const control::Home& home, Sending how);

}  // namespace relais::dmarcrpt
