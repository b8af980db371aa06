// The names under which DNS has what it says of an address. Pure.
#pragma once

#include <string>
#include <string_view>

namespace relais::net {

// "7.2.0.192.zone", or the nibbles of an IPv6 address in front of the zone; "" for what is no address.
std::string reversed_address(std::string_view address, std::string_view zone);
// Where the PTR record of an address is: below in-addr.arpa or ip6.arpa.
std::string reverse_name(std::string_view address);

}  // namespace relais::net
