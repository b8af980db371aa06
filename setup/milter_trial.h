// doctor's look at the milters of control/milters.
#pragma once

#include "setup/layout.h"
#include "setup/report.h"

namespace relais::setup {

// Connects to each, as qmail-milterd does, and agrees on a version; shows it no mail. Throws Error.
void look_at_milters(const Plan& plan, Report& report);

}  // namespace relais::setup
