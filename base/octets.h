// Little-endian numbers in octets, for file formats and the protocols between our programs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace relais {

// Writes the low `octets` octets of value at to.
inline void put_le(char* to, std::uint64_t value, std::size_t octets) {
    for (std::size_t i = 0; i < octets; ++i) to[i] = static_cast<char>((value >> (8 * i)) & 0xff);
}

inline void append_le(std::string& to, std::uint64_t value, std::size_t octets) {
    const std::size_t at = to.size();
    to.resize(at + octets);
    put_le(to.data() + at, value, octets);
}

// The number in `octets` octets at offset at; the caller has made sure that they are there.
inline std::uint64_t get_le(std::string_view from, std::size_t at, std::size_t octets) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < octets; ++i)
        value |= static_cast<std::uint64_t>(static_cast<unsigned char>(from[at + i])) << (8 * i);
    return value;
}

}  // namespace relais
