// Macro strings of SPF (RFC 7208, 7): domain names and explanations in which %{...} stands for what is known
// of the client. Pure.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relais::authres {

struct MacroString {
    struct Part {
        std::string literal;      // if letter is 0
        char letter = 0;          // lower case
        bool url_escape = false;  // the letter was upper case
        std::size_t keep = 0;     // so many of the last parts; 0: all
        bool reverse = false;
        std::string delimiters = ".";
    };
    std::vector<Part> parts;

    // value gives what a letter stands for. When the text outgrows limit its beginning is lost: of a name,
    // the end counts.
    std::string expand(const std::function<std::string(char)>& value, std::size_t limit) const;
};

enum class MacroUse {
    domain,       // domain-spec: letters s l o d i p h v, and an end that can be a domain's
    modifier,     // an unknown modifier's value: all letters
    explanation,  // explain-string: all letters, and spaces
};
// Nothing for a syntax error.
std::optional<MacroString> parse_macro_string(std::string_view text, MacroUse use);

}  // namespace relais::authres
