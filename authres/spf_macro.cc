#include "authres/spf_macro.h"

#include <algorithm>

#include "base/text.h"

namespace relais::authres {
namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_alpha(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_alphanumeric(char c) {
    return is_digit(c) || is_alpha(c);
}

// What follows "%{" up to and including "}"; text is advanced.
std::optional<MacroString::Part> take_macro(std::string_view& text, MacroUse use) {
    const std::size_t end = text.find('}');
    if (end == std::string_view::npos || end == 0) return std::nullopt;
    std::string_view inside = text.substr(0, end);
    text.remove_prefix(end + 1);
    MacroString::Part part;
    part.letter = lower(inside.front());
    part.url_escape = part.letter != inside.front();
    const std::string_view letters = use == MacroUse::domain ? "slodiphv" : "slodiphvcrt";
    if (letters.find(part.letter) == std::string_view::npos) return std::nullopt;
    inside.remove_prefix(1);
    const auto digits =
        static_cast<std::size_t>(std::find_if_not(inside.begin(), inside.end(), is_digit) - inside.begin());
    if (digits > 0) {
        const auto number = parse_number(inside.substr(0, digits));
        if (number == 0U) return std::nullopt;
        part.keep = static_cast<std::size_t>(std::min<std::uint64_t>(number.value_or(255), 255));
        inside.remove_prefix(digits);
    }
    if (!inside.empty() && lower(inside.front()) == 'r') {
        part.reverse = true;
        inside.remove_prefix(1);
    }
    if (inside.find_first_not_of(".-+,/_=") != std::string_view::npos) return std::nullopt;
    if (!inside.empty()) part.delimiters = inside;
    return part;
}

// domain-end (RFC 7208, 7.1): a macro, or a dot and a label that can be a top level domain's.
bool ends_as_domain(const std::vector<MacroString::Part>& parts, bool last_was_expanded) {
    if (parts.empty()) return false;
    if (last_was_expanded) return true;
    std::string_view tail = parts.back().literal;
    if (tail.ends_with('.')) tail.remove_suffix(1);
    const std::size_t dot = tail.rfind('.');
    if (dot == std::string_view::npos) return false;
    const std::string_view label = tail.substr(dot + 1);
    if (label.empty() || !is_alphanumeric(label.front()) || !is_alphanumeric(label.back())) return false;
    const bool known =
        std::all_of(label.begin(), label.end(), [](char c) { return is_alphanumeric(c) || c == '-'; });
    return known && !std::all_of(label.begin(), label.end(), is_digit);
}

void add_literal(std::vector<MacroString::Part>& parts, std::string_view text) {
    if (parts.empty() || parts.back().letter != 0) parts.emplace_back();
    parts.back().literal += text;
}

std::string url_escaped(std::string_view text) {
    static constexpr std::string_view hex = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const auto octet = static_cast<unsigned char>(c);
        if (is_alphanumeric(c) || std::string_view("-._~").find(c) != std::string_view::npos)
            out += c;
        else
            out.append({'%', hex[octet >> 4], hex[octet & 15]});
    }
    return out;
}

std::string transformed(const MacroString::Part& part, std::string_view value) {
    std::vector<std::string_view> pieces;
    for (std::size_t end; (end = value.find_first_of(part.delimiters)) != std::string_view::npos;
         value.remove_prefix(end + 1))
        pieces.push_back(value.substr(0, end));
    pieces.push_back(value);
    if (part.reverse) std::reverse(pieces.begin(), pieces.end());
    const std::size_t first = part.keep == 0 || part.keep >= pieces.size() ? 0 : pieces.size() - part.keep;
    std::string out;
    for (std::size_t i = first; i < pieces.size(); ++i) {
        if (i > first) out += '.';
        out += pieces[i];
    }
    return part.url_escape ? url_escaped(out) : out;
}

}  // namespace

std::optional<MacroString> parse_macro_string(std::string_view text, MacroUse use) {
    MacroString result;
    bool expanded = false;
    while (!text.empty()) {
        const char c = text.front();
        text.remove_prefix(1);
        expanded = c == '%';
        if (!expanded) {
            const bool blank = c == ' ' && use == MacroUse::explanation;
            if (!blank && (c < 0x21 || c > 0x7e)) return std::nullopt;
            add_literal(result.parts, std::string_view(&c, 1));
            continue;
        }
        if (text.empty()) return std::nullopt;
        const char kind = text.front();
        text.remove_prefix(1);
        if (kind == '{') {
            auto part = take_macro(text, use);
            if (!part) return std::nullopt;
            result.parts.push_back(*std::move(part));
        } else if (kind == '%' || kind == '_' || kind == '-') {
            add_literal(result.parts, kind == '%' ? "%" : kind == '_' ? " " : "%20");
        } else {
            return std::nullopt;
        }
    }
    if (use == MacroUse::domain && !ends_as_domain(result.parts, expanded)) return std::nullopt;
    return result;
}

std::string MacroString::expand(const std::function<std::string(char)>& value, std::size_t limit) const {
    std::string out;
    for (const Part& part : parts) {
        out += part.letter == 0 ? part.literal : transformed(part, value(part.letter));
        if (out.size() > limit) out.erase(0, out.size() - limit);
    }
    return out;
}

}  // namespace relais::authres
