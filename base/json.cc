#include "base/json.h"

#include <algorithm>

namespace relais {
namespace {

// What may follow a first octet in UTF-8 (RFC 3629, section 4): how many octets, and the bounds of the first of them.
struct Following {
    unsigned count;
    unsigned char lowest = 0x80;
    unsigned char highest = 0xbf;
};

std::optional<Following> following(unsigned char first) {
    if (first < 0x80) return Following{0};
    if (first < 0xc2 || first > 0xf4) return std::nullopt;
    if (first < 0xe0) return Following{1};
    if (first == 0xe0) return Following{2, 0xa0, 0xbf};
    if (first == 0xed) return Following{2, 0x80, 0x9f};
    if (first < 0xf0) return Following{2};
    if (first == 0xf0) return Following{3, 0x90, 0xbf};
    if (first == 0xf4) return Following{3, 0x80, 0x8f};
    return Following{3};
}

struct Character {
    std::size_t octets;  // at least 1
    bool whole;
};

// The character that text starts with, or what there is of it.
Character first_character(std::string_view text) {
    auto rest = following(static_cast<unsigned char>(text.front()));
    if (!rest) return {1, false};
    std::size_t octets = 1;
    for (; rest->count > 0; --rest->count, ++octets) {
        if (octets == text.size()) return {octets, false};
        const auto octet = static_cast<unsigned char>(text[octets]);
        if (octet < rest->lowest || octet > rest->highest) return {octets, false};
        *rest = {rest->count};
    }
    return {octets, true};
}

void append_control(std::string& written, char c) {
    constexpr std::string_view named = "\b\t\n\f\r";
    constexpr std::string_view names = "btnfr";
    constexpr std::string_view digits = "0123456789abcdef";
    if (const std::size_t at = named.find(c); at != std::string_view::npos) {
        written += {'\\', names[at]};
        return;
    }
    const auto code = static_cast<unsigned char>(c);
    written += {'\\', 'u', '0', '0', digits[code >> 4U], digits[code & 15U]};
}

void append_string(std::string& written, std::string_view text) {
    written += '"';
    while (!text.empty()) {
        const auto [octets, whole] = first_character(text);
        const char c = text.front();
        if (!whole)
            written += "\xef\xbf\xbd";
        else if (c == '"' || c == '\\')
            written += {'\\', c};
        else if (static_cast<unsigned char>(c) < ' ')
            append_control(written, c);
        else
            written += text.substr(0, octets);
        text.remove_prefix(octets);
    }
    written += '"';
}

}  // namespace

Json::Json(std::string_view text) : written_() {
    append_string(written_, text);
}

Json::Json(std::initializer_list<Member> members) : kind_(Kind::object) {
    for (const Member& member : members) (*this)[member.name] = member.value;
}

Json Json::array() {
    return Json(std::vector<Json>());
}

Json Json::object() {
    Json value;
    value.kind_ = Kind::object;
    return value;
}

Json& Json::operator[](std::string_view name) {
    kind_ = Kind::object;
    const auto at = std::find(names_.begin(), names_.end(), name);
    if (at != names_.end()) return values_[static_cast<std::size_t>(at - names_.begin())];
    names_.emplace_back(name);
    return values_.emplace_back();
}

void Json::push_back(Json value) {
    kind_ = Kind::array;
    values_.push_back(std::move(value));
}

std::string Json::line() const {
    std::string text;
    write(text, nullptr);
    return text;
}

std::string Json::lines() const {
    std::string text;
    const std::string line_end = "\n";
    write(text, &line_end);
    return text;
}

// line_end is what a value is followed by on this level: a line feed and the spaces before the next; none if all is to be
// on one line.
void Json::write(std::string& text, const std::string* line_end) const {
    if (kind_ == Kind::scalar) {
        text += written_;
        return;
    }
    text += kind_ == Kind::array ? '[' : '{';
    const std::string deeper = line_end != nullptr ? *line_end + "  " : "";
    for (std::size_t i = 0; i < values_.size(); ++i) {
        text.append(i == 0 ? "" : ",").append(deeper);
        if (kind_ == Kind::object) {
            append_string(text, names_[i]);
            text += line_end != nullptr ? ": " : ":";
        }
        values_[i].write(text, line_end != nullptr ? &deeper : nullptr);
    }
    if (line_end != nullptr && !values_.empty()) text += *line_end;
    text += kind_ == Kind::array ? ']' : '}';
}

}  // namespace relais
