// Creating, checking and repairing an instance: three uses of the same table (setup/layout.h).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "setup/layout.h"

namespace relais::setup {

// Something that is not as it must be, and what mends it; without a remedy only a person can.
struct Finding {
    std::string text;
    std::function<void()> mend;
    bool unseen = false;  // this user may not look there: it may be well
};

// Everything wrong with an instance: pieces of the table, files in control/ and the queue, programs,
// databases older than their source, parents that its users cannot enter; and what this user may not look into. Changes
// nothing. Throws Error for what cannot be looked at for another reason.
std::vector<Finding> inspect(const Plan& plan);

// Makes the instance. Throws a permanent Error if there is something already, if the path is too long or has
// odd characters, or if a parent is closed to the instance's users; a started instance that fails is removed
// again.
void create(const Plan& plan);

// The directory of the running program, where the others are.
std::string program_directory();

}  // namespace relais::setup
