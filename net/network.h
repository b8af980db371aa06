// The neighbourhood of an address. Pure.
#pragma once

#include <string>
#include <string_view>

namespace relais::net {

// "192.0.2.0/24" or "2001:db8:0:100::/56": one customer's network, more or less; "" for what is no address.
std::string network_of(std::string_view address);

}  // namespace relais::net
