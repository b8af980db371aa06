// Characters of UTF-8 (RFC 3629). Pure.
#pragma once

#include <optional>
#include <string_view>

namespace relais {

// The character at the beginning of text, which is advanced behind it; text is not empty. Nothing, and text
// stays, for what is no character: octets of another form, too long ones, surrogates, beyond U+10FFFF.
std::optional<char32_t> take_utf8(std::string_view& text);

}  // namespace relais
