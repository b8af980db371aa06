// A JSON value to be built and written (RFC 8259); there is nothing here that reads one. nlohmann's library
// writes it; its headers stay in base/json.cc, for they cost each source that includes them seconds to
// compile.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

namespace relais {

class Json {
  public:
    struct Member;

    Json() = default;  // null
    // Octets that are no UTF-8 are written as U+FFFD: addresses and errors may hold any.
    Json(std::string_view text) : scalar_(std::string(text)) {}
    Json(const std::string& text) : Json(std::string_view(text)) {}
    Json(const char* text) : Json(std::string_view(text)) {}
    Json(std::same_as<bool> auto value) : scalar_(value) {}
    template <std::integral Number>
    requires(!std::same_as<Number, bool>) Json(Number number) : scalar_(Widest<Number>(number)) {}
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
    friend struct JsonWriter;
    enum class Kind { scalar, array, object };
    template <std::integral Number>
    using Widest = std::conditional_t<std::is_signed_v<Number>, std::int64_t, std::uint64_t>;

    Kind kind_ = Kind::scalar;
    std::variant<std::nullptr_t, bool, std::int64_t, std::uint64_t, std::string> scalar_;
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
