#include "remote/addresses.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <memory>
#include <optional>

#include "base/error.h"
#include "net/socket.h"

namespace relais::remote {
namespace {

struct Block {
    const char* address;
    int bits;
    AddressKind kind;
};

// The first that matches counts.
constexpr std::array<Block, 12> v4_blocks = {{{"255.255.255.255", 32, AddressKind::unusable},
                                              {"0.0.0.0", 8, AddressKind::ours},
                                              {"127.0.0.0", 8, AddressKind::ours},
                                              {"10.0.0.0", 8, AddressKind::private_},
                                              {"172.16.0.0", 12, AddressKind::private_},
                                              {"192.168.0.0", 16, AddressKind::private_},
                                              {"169.254.0.0", 16, AddressKind::private_},
                                              {"100.64.0.0", 10, AddressKind::private_},
                                              {"192.0.0.0", 24, AddressKind::private_},
                                              {"198.18.0.0", 15, AddressKind::private_},
                                              {"224.0.0.0", 4, AddressKind::unusable},
                                              {"240.0.0.0", 4, AddressKind::unusable}}};
constexpr std::array<Block, 9> v6_blocks = {{{"::", 128, AddressKind::ours},
                                             {"::1", 128, AddressKind::ours},
                                             {"::", 96, AddressKind::unusable},
                                             {"64:ff9b:1::", 48, AddressKind::private_},
                                             {"100::", 64, AddressKind::unusable},
                                             {"fc00::", 7, AddressKind::private_},
                                             {"fe80::", 10, AddressKind::private_},
                                             {"fec0::", 10, AddressKind::private_},
                                             {"ff00::", 8, AddressKind::unusable}}};

using Octets = std::array<unsigned char, 16>;

// IPv6 addresses by which a translator or a tunnel reaches an IPv4 address, and where in them that stands:
// NAT64 (RFC 6052), 6to4 (RFC 3056). They lead to no better place than that address.
struct Embedding {
    const char* prefix;
    int bits;
    std::size_t at;
};
constexpr std::array<Embedding, 2> embeddings = {{{"64:ff9b::", 96, 12}, {"2002::", 16, 2}}};

bool has_prefix(const Octets& address, const Octets& prefix, int bits) {
    const auto whole = static_cast<std::size_t>(bits / 8);
    if (std::memcmp(address.data(), prefix.data(), whole) != 0) return false;
    if (bits % 8 == 0) return true;
    const int mask = 0xff00 >> (bits % 8) & 0xff;
    return (address[whole] & mask) == (prefix[whole] & mask);
}

template <std::size_t Size>
AddressKind look_up(int family, const std::string& text, const std::array<Block, Size>& blocks) {
    Octets address{};
    if (::inet_pton(family, text.c_str(), address.data()) != 1) return AddressKind::unusable;
    for (const Block& block : blocks) {
        Octets prefix{};
        ::inet_pton(family, block.address, prefix.data());
        if (has_prefix(address, prefix, block.bits)) return block.kind;
    }
    return AddressKind::global;
}

std::optional<std::string> embedded_v4(const std::string& text) {
    Octets address{};
    if (::inet_pton(AF_INET6, text.c_str(), address.data()) != 1) return std::nullopt;
    for (const Embedding& embedding : embeddings) {
        Octets prefix{};
        ::inet_pton(AF_INET6, embedding.prefix, prefix.data());
        if (!has_prefix(address, prefix, embedding.bits)) continue;
        char inner[INET_ADDRSTRLEN];
        return ::inet_ntop(AF_INET, address.data() + embedding.at, inner, sizeof inner);
    }
    return std::nullopt;
}

}  // namespace

AddressKind kind_of(std::string_view address) {
    const std::string text(address);
    if (text.find(':') == std::string::npos) return look_up(AF_INET, text, v4_blocks);
    const AddressKind kind = look_up(AF_INET6, text, v6_blocks);
    if (kind != AddressKind::global) return kind;
    const auto inner = embedded_v4(text);
    return inner ? look_up(AF_INET, *inner, v4_blocks) : kind;
}

bool LocalAddresses::contains(const std::string& address) {
    if (addresses_.empty() || Clock::now() - read_at_ > std::chrono::minutes(1)) read();
    return addresses_.contains(address);
}

void LocalAddresses::read() {
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0) throw_errno("read", "this host's addresses");
    const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(list, &::freeifaddrs);
    addresses_.clear();
    for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
        if (entry->ifa_addr == nullptr) continue;
        const int family = entry->ifa_addr->sa_family;
        if (family != AF_INET && family != AF_INET6) continue;
        net::SocketAddress address;
        address.size = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
        std::memcpy(address.get(), entry->ifa_addr, address.size);
        addresses_.insert(net::to_endpoint(address).ip);
    }
    read_at_ = Clock::now();
}

}  // namespace relais::remote
