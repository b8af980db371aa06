// doctor's look at the ports: who answers there, and whether it is this instance.
#pragma once

#include "service/layout.h"
#include "service/report.h"

namespace relais::service {

// Connects to every address of the plan and waits for the greeting. Throws Error.
void look_at_ports(const Plan& plan, Report& report);

}  // namespace relais::service
