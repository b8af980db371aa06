#include "net/network.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

namespace relais::net {

std::string network_of(std::string_view address) {
    const std::string text(address);
    std::array<unsigned char, 16> octets{};
    std::array<char, INET6_ADDRSTRLEN> name{};
    if (::inet_pton(AF_INET, text.c_str(), octets.data()) == 1) {
        octets[3] = 0;
        ::inet_ntop(AF_INET, octets.data(), name.data(), name.size());
        return std::string(name.data()) + "/24";
    }
    if (::inet_pton(AF_INET6, text.c_str(), octets.data()) != 1) return "";
    std::fill(octets.begin() + 7, octets.end(), static_cast<unsigned char>(0));
    ::inet_ntop(AF_INET6, octets.data(), name.data(), name.size());
    return std::string(name.data()) + "/56";
}

}  // namespace relais::net
