// The ports of an instance: who has them, who answers there, and whether it is this instance.
#pragma once

#include <string>
#include <vector>

#include "setup/layout.h"
#include "setup/report.h"

namespace relais::setup {

// A sentence for each port of the plan that a program has which is not of this instance, as far as that can
// be seen without connecting.
std::vector<std::string> strangers_on_ports(const Plan& plan);

// Connects to every address of the plan and waits for the greeting. Throws Error.
void look_at_ports(const Plan& plan, Report& report);

}  // namespace relais::setup
