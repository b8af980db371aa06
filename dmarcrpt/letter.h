// The mail that carries a report (RFC 9990): a line for people, and the packed XML.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dmarcrpt/collection.h"

namespace relais::dmarcrpt {

enum class Fate : char { send = 'S', nowhere = 'N', late = 'L' };  // late: DNS does not say where it goes

// A report on its way from who collects to who sends. Both are ours, but the first one has read what
// strangers caused to be written.
struct Packet {
    Fate fate = Fate::nowhere;
    std::string domain{};
    std::uint64_t begin = 0, end = 0;
    std::vector<std::string> to{};
    std::string content{};  // packed
};

inline constexpr std::size_t packet_limit = std::size_t{8} << 20;

std::string encode(const std::vector<Packet>& packets);
// Nothing unless each of them is one that may go out: addresses and domains that are such, and few of them.
std::optional<std::vector<Packet>> decode_packets(std::string_view text);

// LF line ends. now: seconds since 1970.
std::string letter_of(const Packet& packet, const Reporter& reporter, std::int64_t now);

}  // namespace relais::dmarcrpt
