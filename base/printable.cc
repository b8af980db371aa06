#include "base/printable.h"

#include "base/utf8.h"

namespace relais {
namespace {

// Marks and overrides of writing direction, which show a text in another order than it has.
bool reorders(char32_t code) {
    return code == 0x61c || code == 0x200e || code == 0x200f || (code >= 0x202a && code <= 0x202e) ||
           (code >= 0x2066 && code <= 0x2069);
}

bool is_control(char32_t code) {
    return code < 0x20 || (code >= 0x7f && code < 0xa0);
}

}  // namespace

std::string printable(std::string_view text) {
    std::string result;
    result.reserve(text.size());
    while (!text.empty()) {
        std::string_view rest = text;
        const auto code = take_utf8(rest);
        const bool shown = code && !is_control(*code) && !reorders(*code);
        // Each octet of what is not shown becomes one of its own.
        if (!shown) rest = text.substr(1);
        result.append(shown ? text.substr(0, text.size() - rest.size()) : "_");
        text = rest;
    }
    return result;
}

}  // namespace relais
