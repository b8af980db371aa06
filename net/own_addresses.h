// This machine's own addresses.
#pragma once

#include <string>
#include <vector>

namespace relais::net {

enum class Loopback { with, without };

// Those of every interface that is up, IPv4 before IPv6, link-local ones too (without their zone), each once.
// Throws Error.
std::vector<std::string> own_addresses(Loopback loopback);

}  // namespace relais::net
