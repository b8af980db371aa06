// When a summary is due, and what is sent then (docs/internals.md, "The summary").
#pragma once

#include <cstdint>
#include <string>

#include "control/home.h"

namespace relais::summary {

// Between two tries of one period; no run may take longer.
inline constexpr std::uint64_t retry_seconds = 3600;

// Sends the summary that control/summary asks for, if its period has ended and no other run is at it. Between
// the queue's answer and the note that it was sent SIGTERM and the alarm of the process count no more. Throws
// Error.
void send_if_due(const control::Home& home);

// What it would say now. Throws Error.
std::string text_now(const control::Home& home);

}  // namespace relais::summary
