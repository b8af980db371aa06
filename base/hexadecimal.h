// Octets as hexadecimal digits.
#pragma once

#include <string>
#include <string_view>

namespace relais {

// Two lower-case digits for each octet.
inline std::string hexadecimal(std::string_view octets) {
    constexpr char digits[] = "0123456789abcdef";
    std::string text;
    text.reserve(2 * octets.size());
    for (const char c : octets) {
        text += digits[static_cast<unsigned char>(c) >> 4];
        text += digits[static_cast<unsigned char>(c) & 15];
    }
    return text;
}

}  // namespace relais
