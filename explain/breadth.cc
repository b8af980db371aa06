#include <cmath>

#include <array>

#include "base/text.h"
#include "explain/audit.h"
#include "opensmtp/address.h"
#include "tcprules/address.h"

namespace relais::explain {
namespace {

// Networks that are not the Internet: what relays for them opens nothing to strangers (RFC 1918, 5735, 6598).
const opensmtp::NetworkSet& inner_networks() {
    static const opensmtp::NetworkSet networks({"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8",
                                                "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16",
                                                "224.0.0.0/3"});
    return networks;
}

// "10.1." as 10.1.0.0 and 16; a whole address as itself and 32. Nothing for what is neither.
Breadth breadth_of_ipv4(std::string_view key) {
    const bool prefix = key.ends_with('.');
    const auto parts = split(prefix ? key.substr(0, key.size() - 1) : key, '.');
    if (parts.size() > 4 || (parts.size() == 4) == prefix) return {};
    std::string address;
    for (std::size_t i = 0; i < 4; ++i)
        address += (i == 0 ? "" : ".") + (i < parts.size() ? std::string(parts[i]) : "0");
    if (!tcprules::parse_ipv4(address)) return {};
    if (inner_networks().match(address)) return {};
    return {std::exp2(8.0 * (4.0 - static_cast<double>(parts.size()))), 0};
}

// Of 2000::/3, all that is given out.
double public_ipv6(const tcprules::Ipv6& ip, unsigned bits) {
    if (bits < 3) return std::exp2(29);
    if ((ip[0] & 0xe0U) != 0x20U) return 0;
    return std::exp2(32.0 - static_cast<double>(bits));
}

Breadth breadth_of_ipv6(std::string_view key) {
    const std::size_t slash = key.find('/');
    std::string address(key.substr(0, slash));
    unsigned bits = 128;
    if (slash != std::string_view::npos) {
        const auto length = parse_number(key.substr(slash + 1));
        if (!length || *length > 128) return {};
        bits = static_cast<unsigned>(*length);
    } else if (key.ends_with(':')) {
        const auto groups = split(key.substr(0, key.size() - 1), ':');
        if (groups.size() > 7) return {};
        bits = static_cast<unsigned>(16 * groups.size());
        address += key.ends_with("::") ? "" : ":";
    }
    const auto ip = tcprules::parse_ipv6(address);
    return ip ? Breadth{0, public_ipv6(*ip, bits)} : Breadth{};
}

}  // namespace

Breadth breadth_of_key(std::string_view key) {
    if (key.find_first_of("=@") != std::string_view::npos) return {};
    if (key.empty()) return {std::exp2(32), std::exp2(29)};
    return key.find(':') != std::string_view::npos ? breadth_of_ipv6(key) : breadth_of_ipv4(key);
}

}  // namespace relais::explain
