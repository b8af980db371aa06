// The words of a structured header field (RFC 5322, 3.2, with the obsolete forms of 4.1).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relais::mail {

struct Token {
    enum class Kind {
        atom,     // text without its backslashes
        quoted,   // text without quotes and backslashes
        literal,  // text between [ and ], as it was written
        comment,  // text between the outer parentheses, as it was written but on one line
        special,  // text is one of . , @ < > : ;
    };
    Kind kind;
    std::string text;
    bool after_blank = false;  // white space stood before it

    bool is(char special) const { return kind == Kind::special && text.front() == special; }
    bool is_word() const { return kind == Kind::atom || kind == Kind::quoted; }
};

// The tokens of a field's body, folded or not. Nothing for something that is never closed or was never
// opened, a backslash at the end, or a NUL.
std::optional<std::vector<Token>> tokenize(std::string_view body);

// One token as it must be written; atoms that would not be read as such again are quoted.
std::string written(const Token& token);

}  // namespace relais::mail
