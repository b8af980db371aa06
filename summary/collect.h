// What a summary is made of, looked at by processes that have become the role whose files they read.
#pragma once

#include "control/home.h"
#include "control/owners.h"
#include "summary/words.h"

namespace relais::summary {

struct Counted {
    bool counted = false;
    Numbers numbers{};
    std::vector<Certificate> certificates{};
};
// As qmailm, in the cage of qmail-metrics. Certificates are opened by this process, which reads none of them:
// their files may hold keys. Throws Error.
Counted look_at_numbers(const control::Home& home, const control::Owners& owners);

// As qmailt: reads what is remembered, and says all of it in words. Throws Error.
std::string say(const control::Home& home, const control::Owners& owners, const Facts& facts);

// users/summary. Nothing where there is none; one that cannot be read is said in the log, and counts as none.
std::optional<State> read_state(const control::Home& home);
void write_state(const control::Home& home, const State& state);

}  // namespace relais::summary
