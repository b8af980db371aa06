// Addresses in rules and the keys they become. Pure functions, fuzzed.
//
// A key is what a server asks the cdb for. The IPv4 keys are those of every tcpserver: "192.0.2.1",
// "192.0.2.". A single IPv6 address is written as the tcpserver of ucspi-tcp-ipv6 writes it: lower case,
// without leading zeros, the longest run of zero groups (also a run of one) as "::". That server also asks
// for every part of this text that ends with a colon. A network of IPv6 addresses has the key
// "ADDRESS/LENGTH", which only our look-up asks for.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace relais::tcprules {

using Ipv4 = std::array<std::uint8_t, 4>;
using Ipv6 = std::array<std::uint8_t, 16>;

// The text fills the whole view; nothing otherwise.
std::optional<Ipv4> parse_ipv4(std::string_view text);
std::optional<Ipv6> parse_ipv6(std::string_view text);
// The IPv4 address inside ::ffff:a.b.c.d.
std::optional<Ipv4> mapped_ipv4(const Ipv6& ip);

std::string ipv4_text(const Ipv4& ip);
// In the form of a key, see above.
std::string ipv6_key(const Ipv6& ip);
// "ADDRESS/LENGTH", the address cut to its first length bits.
std::string ipv6_network_key(const Ipv6& ip, unsigned length);

// A key, and the length of the network whose rule needs it: a network that ends within an octet becomes
// several keys, which stand for less than they say. Where several rules make the same key, that of the
// longest network counts, and of equal ones the first. whole_network: the key says exactly what the rule
// does.
struct Key {
    std::string text;
    unsigned bits;
};
inline constexpr unsigned whole_network = 128;

// Why a line is no rule; a short reason for the administrator.
struct Wrong {
    std::string reason;
};

// The keys for what stands before the colon of a rule: at most 257. Ranges and IPv4 networks become several
// keys; a range whose end is below its beginning none.
std::variant<std::vector<Key>, Wrong> keys_of_address(std::string_view address);

}  // namespace relais::tcprules
