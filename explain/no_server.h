// Words for each reason why a search finds no server (remote/no_server.h), for the administrator.
#pragma once

#include "explain/exchangers.h"

namespace relais::explain {

void explain_no_server(const Surroundings& around, const Search& search, Dns& dns, RouteReport& report);

}  // namespace relais::explain
