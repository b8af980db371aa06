// An explanation as text for people and as JSON for programs (relay-explain(1)). Pure.
#pragma once

#include <string>

#include "explain/explanation.h"

namespace relais::explain {

// The decision in one line for each recipient, a line for each step, close calls, remedies.
std::string to_text(const Explanation& explanation);
std::string to_json(const Explanation& explanation);

// "REFUSED: 192.0.2.7 may not send to bob@example.org: ...", without the word in front if bare.
std::string headline(const Explanation& explanation, const Outcome& outcome);
// Why nobody is served, in the same form; only if turned_away or trouble say so.
std::string headline_of_trouble(const Explanation& explanation);

}  // namespace relais::explain
