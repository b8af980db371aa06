// doctor's look at the ports: who answers there, and whether it is this instance.
#pragma once

#include "setup/layout.h"
#include "setup/report.h"

namespace relais::setup {

// Connects to every address of the plan and waits for the greeting. Throws Error.
void look_at_ports(const Plan& plan, Report& report);

}  // namespace relais::setup
