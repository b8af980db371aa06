#include "base/utf8.h"

namespace relais {

std::optional<char32_t> take_utf8(std::string_view& text) {
    const auto octet = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned first = octet(0);
    const std::size_t size = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if ((first >= 0x80 && first < 0xc2) || first > 0xf4 || text.size() < size) return std::nullopt;
    char32_t code = size == 1 ? first : first & (0xff >> (size + 1));
    for (std::size_t i = 1; i < size; ++i) {
        if ((octet(i) & 0xc0) != 0x80) return std::nullopt;
        code = code << 6 | (octet(i) & 0x3f);
    }
    constexpr char32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (code < least[size] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return std::nullopt;
    text.remove_prefix(size);
    return code;
}

}  // namespace relais
