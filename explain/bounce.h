// Causes and remedies for refusals, wherever they are found: a text, a bounce, the queue, the log.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/home.h"
#include "explain/refusal.h"
#include "mail/bounce_hints.h"

namespace relais::explain {

// What was said about the message with that id: in the queue (the bounce text so far, the last error), else
// in the log below log/qmail-send. Empty if neither knows it. Throws Error.
std::vector<Refusal> refusals_of_message(const control::Home& home, std::uint64_t id);

// For people: for each refusal cause, remedy and the words themselves. For programs: a JSON array and a line
// end.
std::string bounce_text(const mail::HintTable& table, const std::vector<Refusal>& refusals);
std::string bounce_json(const mail::HintTable& table, const std::vector<Refusal>& refusals);

}  // namespace relais::explain
