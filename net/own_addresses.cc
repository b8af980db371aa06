#include "net/own_addresses.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>

#include <algorithm>
#include <array>
#include <memory>

#include "base/error.h"

namespace relais::net {
namespace {

struct FreeAddresses {
    void operator()(ifaddrs* list) const { ::freeifaddrs(list); }
};

// "" for an address of neither family.
std::string text_of(const sockaddr* address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    const void* octets = nullptr;
    if (address->sa_family == AF_INET) octets = &reinterpret_cast<const sockaddr_in*>(address)->sin_addr;
    if (address->sa_family == AF_INET6) octets = &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr;
    if (octets == nullptr) return "";
    return ::inet_ntop(address->sa_family, octets, text.data(), text.size()) != nullptr ? text.data() : "";
}

}  // namespace

std::vector<std::string> own_addresses(Loopback loopback) {
    ifaddrs* first = nullptr;
    if (::getifaddrs(&first) != 0) throw_errno("list", "this machine's addresses");
    const std::unique_ptr<ifaddrs, FreeAddresses> list(first);
    std::vector<std::string> found;
    for (const ifaddrs* each = first; each != nullptr; each = each->ifa_next) {
        const bool counts = (each->ifa_flags & IFF_UP) != 0 &&
                            (loopback == Loopback::with || (each->ifa_flags & IFF_LOOPBACK) == 0);
        if (!counts || each->ifa_addr == nullptr) continue;
        std::string text = text_of(each->ifa_addr);
        if (!text.empty() && std::find(found.begin(), found.end(), text) == found.end())
            found.push_back(std::move(text));
    }
    std::stable_partition(found.begin(), found.end(),
                          [](const std::string& text) { return text.find(':') == std::string::npos; });
    return found;
}

}  // namespace relais::net
