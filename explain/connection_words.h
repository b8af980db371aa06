// What holds for the connection to a server: TLS, login, our own address.
#pragma once

#include "explain/remote_route.h"
#include "explain/route.h"

namespace relais::explain {

// Where something of it is wrong, mail waits.
void show_connection(const Surroundings& around, const std::string& sender, RouteReport& report);

}  // namespace relais::explain
