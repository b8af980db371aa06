#include "base/json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace relais {

using Library = nlohmann::ordered_json;

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
        return convert(value).dump(indent, ' ', false, Library::error_handler_t::replace);
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
