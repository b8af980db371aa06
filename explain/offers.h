// The servers of a route and what they offer: looked up, or asked, and what becomes of a message there.
#pragma once

#include "explain/remote_route.h"
#include "explain/route.h"

namespace relais::explain {

// Fills report.remote->offers; says in the report what is known, and how a message of those traits fares at
// the first server. Whoever may not ask is told so.
void show_offers(const Surroundings& around, const RouteOptions& options, RouteReport& report);

}  // namespace relais::explain
