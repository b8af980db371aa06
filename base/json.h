// A JSON value to be built and written (RFC 8259); there is nothing here that reads one.
#pragma once

#include <concepts>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relais {

class Json {
  public:
    struct Member;

    Json() = default;  // null
    // Octets that are no UTF-8 are written as U+FFFD: addresses and errors may hold any.
    Json(std::string_view text);
    Json(const std::string& text) : Json(std::string_view(text)) {}
    Json(const char* text) : Json(std::string_view(text)) {}
    Json(std::same_as<bool> auto value) : written_(value ? "true" : "false") {}
    template <std::integral Number>
    requires(!std::same_as<Number, bool>) Json(Number number) : written_(std::to_string(number)) {}
    // An object; its members keep their order.
    Json(std::initializer_list<Member> members);
    // An array.
    template <class Value>
    Json(const std::vector<Value>& values) : kind_(Kind::array) {
        for (const Value& value : values) values_.emplace_back(value);
    }
    // Null without a value.
    template <class Value>
    Json(const std::optional<Value>& value) : Json(value ? Json(*value) : Json()) {}

    static Json array();
    static Json object();

    // The member of that name, made (null) if there is none. What is null becomes an object.
    Json& operator[](std::string_view name);
    // Adds to an array. What is null becomes one.
    void push_back(Json value);

    // On one line, without spaces.
    std::string line() const;
    // A line for each value, two spaces deeper in each array and object.
    std::string lines() const;

  private:
    enum class Kind { scalar, array, object };

    void write(std::string& text, const std::string* line_end) const;

    Kind kind_ = Kind::scalar;
    std::string written_ = "null";    // of a scalar
    std::vector<std::string> names_;  // of an object's values
    std::vector<Json> values_;
};

struct Json::Member {
    std::string_view name;
    Json value;
};

// The text, or null in place of an empty one.
inline Json text_or_null(std::string_view text) {
    return text.empty() ? Json() : Json(text);
}

}  // namespace relais
