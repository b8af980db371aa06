// The local half of a route: the user, the .qmail file, its lines.
#pragma once

#include "explain/route.h"

namespace relais::explain {

// address: with a virtual domain's prefix. Fills report.local, its fate and its answer.
void explain_local(const control::Home& home, const std::string& address, RouteReport& report);

}  // namespace relais::explain
