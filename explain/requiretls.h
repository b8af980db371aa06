// What becomes of a message with REQUIRETLS (RFC 8689) at the servers of a route.
#pragma once

#include <string>
#include <vector>

#include "explain/finding.h"
#include "explain/route.h"

namespace relais::explain {

// By qmail-remote's rules, of servers whose offers and policies are known as far as they are. authorities:
// control/mtastsca. What bounces is a problem. Pure.
std::vector<Finding> judge_requiretls(const RemoteEnd& end, const std::string& authorities);

}  // namespace relais::explain
