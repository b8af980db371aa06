// What an instance still delivers, in words for who starts, stops or looks at it.
#pragma once

#include <string>
#include <vector>

#include "setup/layout.h"

namespace relais::setup {

struct Deliveries {
    enum class Sender {
        none,  // no qmail-send runs
        delivers,
        ends,    // it waits for what is under way and starts nothing more
        waits,   // for processes of before that hold its lock; or it does not answer
        unseen,  // this user may not ask
    } sender = Sender::none;
    // Of delivers and ends a line for each delivery under way; of waits the processes that hold the lock.
    std::vector<std::string> lines;

    // Those that an earlier qmail-send has begun.
    std::vector<std::string> old() const;
};

// Asks qmail-send, and waits a moment for its answer.
Deliveries deliveries(const Plan& plan);

// Each line on one of its own, indented; empty for none.
std::string indented(const std::vector<std::string>& lines);

}  // namespace relais::setup
