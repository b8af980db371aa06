#include "net/reverse_name.h"

#include <arpa/inet.h>

namespace relais::net {

std::string reversed_address(std::string_view address, std::string_view zone) {
    const std::string text(address);
    unsigned char octets[16];
    std::string name;
    if (::inet_pton(AF_INET, text.c_str(), octets) == 1) {
        for (int i = 3; i >= 0; --i) name += std::to_string(octets[i]) + '.';
    } else if (::inet_pton(AF_INET6, text.c_str(), octets) == 1) {
        for (int i = 15; i >= 0; --i)
            for (const int nibble : {octets[i] & 15, octets[i] >> 4}) {
                name += "0123456789abcdef"[nibble];
                name += '.';
            }
    } else {
        return "";
    }
    return name.append(zone);
}

std::string reverse_name(std::string_view address) {
    return reversed_address(address,
                            address.find(':') == std::string_view::npos ? "in-addr.arpa" : "ip6.arpa");
}

}  // namespace relais::net
