// Frames of a stream: a length, little-endian, and that many octets.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/octets.h"

namespace relais {

// What decode makes of the first frame of the input, which is taken out; nothing as long as it is not whole.
// broken: it is longer than the limit, which is seen by its length alone, or decode makes nothing of it.
template <class Decode>
auto take_frame(std::string& input, std::size_t length_size, std::size_t limit, Decode decode, bool& broken)
    -> decltype(decode(std::string_view())) {
    if (input.size() < length_size) return {};
    const std::size_t length = get_le(input, 0, length_size);
    broken = length > limit;
    if (broken || input.size() - length_size < length) return {};
    auto decoded = decode(std::string_view(input).substr(length_size, length));
    broken = !decoded;
    input.erase(0, length_size + length);
    return decoded;
}

}  // namespace relais
