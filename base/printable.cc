#include "base/printable.h"

#include <algorithm>

namespace relais {
namespace {

// Marks and overrides of writing direction, which show a text in another order than it has.
bool reorders(std::string_view character) {
    // U+061C; U+200E, U+200F, U+202A to U+202E; U+2066 to U+2069.
    if (character == "\xd8\x9c") return true;
    const auto last = static_cast<unsigned char>(character.back());
    if (character.starts_with("\xe2\x80"))
        return last == 0x8e || last == 0x8f || (last >= 0xaa && last <= 0xae);
    return character.starts_with("\xe2\x81") && last >= 0xa6 && last <= 0xa9;
}

// The length of the UTF-8 character at the beginning of text; 0 if there is none, or a control character.
std::size_t character_length(std::string_view text) {
    const auto octet = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char first = octet(0);
    if (first < 0x80) return first >= 32 && first != 127 ? 1 : 0;
    const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
    for (std::size_t i = 1; i < length; ++i)
        if ((octet(i) & 0xc0) != 0x80) return 0;
    // U+0080 to U+009F are control characters; too long forms and surrogates are no characters.
    if (first == 0xc2 && octet(1) < 0xa0) return 0;
    if ((first == 0xe0 && octet(1) < 0xa0) || (first == 0xed && octet(1) >= 0xa0)) return 0;
    if (reorders(text.substr(0, length))) return 0;
    if ((first == 0xf0 && octet(1) < 0x90) || (first == 0xf4 && octet(1) >= 0x90)) return 0;
    return length;
}

}  // namespace

std::string printable(std::string_view text) {
    std::string result;
    result.reserve(text.size());
    while (!text.empty()) {
        const std::size_t length = character_length(text);
        result.append(length > 0 ? text.substr(0, length) : "_");
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return result;
}

}  // namespace relais
