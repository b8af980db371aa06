// Domain names in text and in wire form (RFC 1035, 3.1).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace relais::net {

// True if DNS may be asked for the name: labels of 1 to 63 letters, digits, '-' and '_' ('/' too, for reverse
// zones by RFC 2317), at most 253 octets, a final dot allowed. Anything else cannot be a host's name, and
// escapes never reach the DNS library.
bool is_askable_name(std::string_view name);

struct WireName {
    std::string text;  // without the final dot; "" for the root; odd octets as \DDD, which is no askable name
    std::size_t size;  // octets it took
};
// An uncompressed name at the beginning of rdata; nothing if it is cut off, compressed or too long.
std::optional<WireName> parse_wire_name(std::string_view rdata);

}  // namespace relais::net
