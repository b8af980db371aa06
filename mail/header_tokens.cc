#include "mail/header_tokens.h"

#include <algorithm>

namespace relais::mail {
namespace {

constexpr std::string_view specials = ".,@<>:;";
constexpr std::string_view white_space = " \t\r\n";
// What ends an atom.
constexpr std::string_view atom_ends = " \t\r\n.,@<>:;()[]\"";

bool among(std::string_view set, char c) {
    return set.find(c) != std::string_view::npos;
}

class Tokenizer {
  public:
    explicit Tokenizer(std::string_view body) : rest_(body) {}

    std::optional<std::vector<Token>> run() {
        std::vector<Token> tokens;
        while (!rest_.empty()) {
            const std::size_t blank = std::min(rest_.find_first_not_of(white_space), rest_.size());
            rest_.remove_prefix(blank);
            if (rest_.empty()) break;
            Token token{Token::Kind::special, {}, blank > 0};
            if (!take(token)) return std::nullopt;
            tokens.push_back(std::move(token));
        }
        return tokens;
    }

  private:
    bool take(Token& token) {
        const char c = rest_.front();
        if (c == ')' || c == ']') return false;
        if (c == '"') return take_quoted(token);
        if (c == '[') return take_literal(token);
        if (c == '(') return take_comment(token);
        if (!among(specials, c)) return take_atom(token);
        token.text = c;
        rest_.remove_prefix(1);
        return true;
    }

    // Appends one octet, or a backslash and its octet; line ends are only folding.
    bool take_octet(std::string& text, bool keep_backslash) {
        if (rest_.empty()) return false;
        char c = rest_.front();
        rest_.remove_prefix(1);
        if (c == '\\') {
            if (rest_.empty()) return false;
            if (keep_backslash) text += c;
            c = rest_.front();
            rest_.remove_prefix(1);
            if (c == '\r' || c == '\n') return false;
        }
        if (c != '\r' && c != '\n') text += c;
        return c != '\0';
    }

    bool take_quoted(Token& token) {
        token.kind = Token::Kind::quoted;
        rest_.remove_prefix(1);
        while (!rest_.empty() && rest_.front() != '"')
            if (!take_octet(token.text, false)) return false;
        return close();
    }

    bool take_literal(Token& token) {
        token.kind = Token::Kind::literal;
        rest_.remove_prefix(1);
        while (!rest_.empty() && rest_.front() != ']')
            if (!take_octet(token.text, true)) return false;
        return close();
    }

    bool take_comment(Token& token) {
        token.kind = Token::Kind::comment;
        rest_.remove_prefix(1);
        for (std::size_t depth = 1; !rest_.empty();) {
            if (rest_.front() == '(') ++depth;
            if (rest_.front() == ')' && --depth == 0) return close();
            if (!take_octet(token.text, true)) return false;
        }
        return false;
    }

    bool take_atom(Token& token) {
        token.kind = Token::Kind::atom;
        while (!rest_.empty() && !among(atom_ends, rest_.front()))
            if (!take_octet(token.text, false)) return false;
        return true;
    }

    bool close() {
        if (rest_.empty()) return false;
        rest_.remove_prefix(1);
        return true;
    }

    std::string_view rest_;
};

std::string quoted(std::string_view text) {
    std::string result = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') result += '\\';
        result += c;
    }
    return result += '"';
}

}  // namespace

std::optional<std::vector<Token>> tokenize(std::string_view body) {
    return Tokenizer(body).run();
}

std::string written(const Token& token) {
    switch (token.kind) {
        case Token::Kind::quoted:
            return quoted(token.text);
        case Token::Kind::literal:
            return "[" + token.text + "]";
        case Token::Kind::comment:
            return "(" + token.text + ")";
        case Token::Kind::special:
            return token.text;
        case Token::Kind::atom:
            break;
    }
    const bool plain = std::none_of(token.text.begin(), token.text.end(), [](char c) {
        return among(atom_ends, c) || c == '\\' || c == 127 || (static_cast<unsigned char>(c) < 32);
    });
    return plain && !token.text.empty() ? token.text : quoted(token.text);
}

}  // namespace relais::mail
