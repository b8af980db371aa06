// What queue-list does: it shows messages, why they wait and what was put aside, and changes them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "control/home.h"
#include "queue/select.h"
#include "send/control_protocol.h"

namespace relais::queue {

// As typed, and what was made of it: filter holds the ids and spans.
struct ListOptions {
    Filter filter;
    std::string older, newer;
    std::vector<std::string> ids;
    bool json = false;
    bool all = false;
    bool yes = false;
    bool resubmit = false;
    bool remove = false;
    bool subject = false;
    bool message = false;
    std::uint64_t limit = UINT64_MAX;
};

// Makes the filter of ids and spans. Throws a permanent Error that says what is wrong with one.
void complete(ListOptions& options);

// All of these write to standard output, ask on standard error and return the exit code. Throw Error.

// Messages that the filter takes; everything: all that is known of each.
int list_messages(const control::Home& home, const ListOptions& options, bool everything);
// word names the change, done what has become of a message then.
int change_messages(const control::Home& home, const ListOptions& options, send::ControlVerb verb,
                    const std::string& word, std::string_view done);
// Ends deliveries by their numbers in the log; without one it shows what is under way.
int cut_deliveries(const control::Home& home, const std::vector<std::string>& numbers);
// Shows, resubmits or removes what was put aside as damaged.
int damaged_messages(const control::Home& home, const ListOptions& options);

}  // namespace relais::queue
