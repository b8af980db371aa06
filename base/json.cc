#include "base/json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace relais {

using Library = nlohmann::ordered_json;

namespace {

// DEL and the controls of Unicode (U+0080 to U+009F) may stand in a string, and command a terminal. What is
// written has them nowhere else.
std::string escape_commands(std::string text) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string escaped;
    std::size_t kept = 0;  // up to here it is in escaped
    for (std::size_t at = 0; at < text.size(); ++at) {
        const auto octet = static_cast<unsigned char>(text[at]);
        const auto next = static_cast<unsigned char>(at + 1 < text.size() ? text[at + 1] : 0);
        const bool two = octet == 0xC2 && next >= 0x80 && next < 0xA0;
        if (octet != 0x7F && !two) continue;
        const unsigned control = two ? next : octet;
        escaped.append(text, kept, at - kept).append("\\u00");
        escaped += digits[control >> 4];
        escaped += digits[control & 15];
        at += two ? 1 : 0;
        kept = at + 1;
    }
    if (kept == 0) return text;
    return escaped.append(text, kept);
}

}  // namespace

struct JsonWriter {
    static Library convert(const Json& value) {
        switch (value.kind_) {
            case Json::Kind::array: {
                Library all = Library::array();
                for (const Json& each : value.values_) all.push_back(convert(each));
                return all;
            }
            case Json::Kind::object: {
                Library all = Library::object();
                for (std::size_t i = 0; i < value.values_.size(); ++i)
                    all[value.names_[i]] = convert(value.values_[i]);
                return all;
            }
            default:
                return std::visit([](const auto& scalar) { return Library(scalar); }, value.scalar_);
        }
    }

    static std::string write(const Json& value, int indent) {
        return escape_commands(convert(value).dump(indent, ' ', false, Library::error_handler_t::replace));
    }
};

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
    return JsonWriter::write(*this, -1);
}

std::string Json::lines() const {
    return JsonWriter::write(*this, 2);
}

}  // namespace relais
