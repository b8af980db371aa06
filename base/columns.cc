#include "base/columns.h"

#include "base/utf8.h"

namespace relais {
namespace {

// From there on letters may take two columns; those that draw boxes and bars take one.
constexpr char32_t wide = 0x1100;
constexpr char32_t first_box = 0x2500, last_box = 0x259f;

// Takes one character, or one octet that is none, off the front. How many columns it takes.
unsigned take_one(std::string_view& text) {
    const auto code = take_utf8(text);
    if (!code) text.remove_prefix(1);
    return code && *code >= wide && (*code < first_box || *code > last_box) ? 2 : 1;
}

}  // namespace

unsigned columns_of(std::string_view text) {
    unsigned columns = 0;
    while (!text.empty()) columns += take_one(text);
    return columns;
}

std::string fit(std::string_view text, unsigned columns) {
    std::string kept;
    unsigned used = 0;
    while (!text.empty()) {
        std::string_view rest = text;
        const unsigned width = take_one(rest);
        if (used + width > columns) break;
        used += width;
        kept.append(text.substr(0, text.size() - rest.size()));
        text = rest;
    }
    return kept.append(columns - used, ' ');
}

}  // namespace relais
