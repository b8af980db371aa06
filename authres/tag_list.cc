#include "authres/tag_list.h"

#include <algorithm>
#include <set>

#include "base/text.h"
#include "sasl/base64.h"

namespace relais::authres {
namespace {

bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool is_name(std::string_view name) {
    const auto is_alpha = [](char c) { return lower(c) >= 'a' && lower(c) <= 'z'; };
    return !name.empty() && is_alpha(name.front()) && std::all_of(name.begin(), name.end(), [&](char c) {
        return is_alpha(c) || (c >= '0' && c <= '9') || c == '_';
    });
}

// Octets above ASCII are those of RFC 8616.
bool is_value(std::string_view value) {
    return std::all_of(value.begin(), value.end(), [](char c) {
        const auto octet = static_cast<unsigned char>(c);
        return is_blank(c) || (octet > 32 && octet != 127);
    });
}

}  // namespace

std::optional<TagList> TagList::parse(std::string_view text) {
    TagList list;
    std::set<std::string_view> seen;
    text = trim(text);
    if (text.ends_with(';')) text.remove_suffix(1);
    for (const std::string_view tag : split(text, ';')) {
        const std::size_t equals = tag.find('=');
        if (equals == std::string_view::npos) return std::nullopt;
        const std::string_view name = trim(tag.substr(0, equals));
        const std::string_view value = trim(tag.substr(equals + 1));
        if (!is_name(name) || !is_value(value) || !seen.insert(name).second) return std::nullopt;
        list.tags_.emplace_back(name, value);
    }
    return list;
}

std::optional<std::string_view> TagList::find(std::string_view name) const {
    for (const auto& [tag, value] : tags_)
        if (tag == name) return value;
    return std::nullopt;
}

std::string without_signature(std::string_view field) {
    std::size_t begin = field.find(':');
    if (begin == std::string_view::npos) return std::string(field);
    while (++begin < field.size()) {
        const std::size_t end = std::min(field.find(';', begin), field.size());
        const std::string_view tag = field.substr(begin, end - begin);
        const std::size_t equals = tag.find('=');
        if (equals != std::string_view::npos && trim(tag.substr(0, equals)) == "b")
            return std::string(field.substr(0, begin + equals + 1)).append(field.substr(end));
        begin = end;
    }
    return std::string(field);
}

std::string without_blanks(std::string_view text) {
    std::string result(text);
    std::erase_if(result, is_blank);
    return result;
}

std::vector<std::string> split_at_colons(std::string_view text) {
    std::vector<std::string> parts;
    for (const std::string_view part : split(text, ':')) parts.emplace_back(trim(part));
    return parts;
}

bool lists(std::string_view text, std::string_view word) {
    const auto parts = split_at_colons(text);
    return std::find(parts.begin(), parts.end(), word) != parts.end();
}

std::optional<std::string> decode_folded_base64(std::string_view text) {
    std::string plain = without_blanks(text);
    while (plain.ends_with('=')) plain.pop_back();
    if (plain.size() % 4 == 1) return std::nullopt;
    // Bits that nobody reads may be set.
    static constexpr std::string_view digits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if (const std::size_t odd = plain.size() % 4; odd != 0) {
        const std::size_t last = digits.find(plain.back());
        if (last == std::string_view::npos) return std::nullopt;
        plain.back() = digits[odd == 2 ? last & ~std::size_t{15} : last & ~std::size_t{3}];
        plain.append(4 - odd, '=');
    }
    return sasl::decode_base64(plain);
}

}  // namespace relais::authres
