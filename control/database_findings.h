// Whether the cdb files of an instance are those of their sources.
#pragma once

#include <vector>

#include "control/home.h"
#include "control/inspect.h"

namespace relais::control {

// A finding for each that is older than its source, missing or damaged.
std::vector<Finding> database_findings(const Home& home);

}  // namespace relais::control
