// Checking and repairing an instance by the table of setup/layout.h.
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
    bool note = false;    // it is well, but good to know
};

// Everything wrong with an instance: pieces of the table, files in control/ and the queue, programs,
// databases older than their source, parents that its users cannot enter; and what this user may not look
// into. Changes nothing. Throws Error for what cannot be looked at for another reason.
std::vector<Finding> inspect(const Plan& plan);

}  // namespace relais::setup
