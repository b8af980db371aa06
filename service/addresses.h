// This machine's own addresses.
#pragma once

#include <string>
#include <vector>

namespace relais::service {

// Those of every interface that is up and no loopback, IPv4 before IPv6, link-local ones too (without their zone), each once. Throws
// Error.
std::vector<std::string> own_addresses();

}  // namespace relais::service
