#include "authres/results.h"

#include <algorithm>

#include "authres/dkim_signature.h"
#include "base/text.h"

namespace relais::authres {
namespace {

constexpr std::string_view specials = "()<>@,;:\\\"/[]?=";

bool is_token_octet(char c) {
    return c > 32 && c < 127 && specials.find(c) == std::string_view::npos;
}

// Fields are ASCII here.
std::string shown(std::string_view text) {
    std::string result(text);
    for (char& c : result)
        if (c < 32 || c == 127) c = '?';
    return result;
}

std::string quoted(std::string_view text) {
    std::string result = "\"";
    for (const char c : shown(text)) {
        if (c == '"' || c == '\\') result += '\\';
        result += c;
    }
    return result + "\"";
}

// pvalue: a token, [[local-part] "@"] domain-name, or a quoted string.
std::string written_value(std::string_view text) {
    const auto plain = [](char c) { return is_token_octet(c) || c == '@'; };
    const bool is_plain = !text.empty() && std::all_of(text.begin(), text.end(), plain) &&
                          std::count(text.begin(), text.end(), '@') <= 1 && !text.ends_with('@');
    return is_plain ? std::string(text) : quoted(text);
}

std::string written_comment(std::string_view text) {
    return "(" + comment_text(text) + ")";
}

std::vector<std::string> words_of(const MethodResult& method) {
    std::vector<std::string> words{method.method + "=" + method.result};
    if (!method.comment.empty()) words.push_back(written_comment(method.comment));
    if (!method.reason.empty()) words.push_back("reason=" + quoted(method.reason));
    for (const auto& [name, value] : method.properties) words.push_back(name + "=" + written_value(value));
    return words;
}

// Reads the field's body from left to right.
class Scanner {
  public:
    explicit Scanner(std::string_view text) : text_(text) {}

    // Blanks, folds and comments. False for a comment that is never closed.
    bool skip() {
        int depth = 0;
        for (; at_ < text_.size(); ++at_) {
            const char c = text_[at_];
            const bool blank = c == ' ' || c == '\t' || c == '\r' || c == '\n';
            if (c == '(')
                ++depth;
            else if (depth > 0 && c == ')')
                --depth;
            else if (depth > 0 && c == '\\')
                ++at_;
            else if (depth == 0 && !blank)
                return true;
        }
        at_ = std::min(at_, text_.size());
        return depth == 0;
    }
    bool ended() const { return at_ >= text_.size(); }
    std::string_view rest() const { return text_.substr(at_); }
    bool take(char c) {
        if (ended() || text_[at_] != c) return false;
        ++at_;
        return true;
    }
    // The octets that are of the set, or of a token.
    std::string_view word(std::string_view more = "") {
        const std::size_t begin = at_;
        while (!ended() && (is_token_octet(text_[at_]) || more.find(text_[at_]) != std::string_view::npos))
            ++at_;
        return text_.substr(begin, at_ - begin);
    }
    std::optional<std::string> quoted_string() {
        std::string result;
        if (!take('"')) return std::nullopt;
        while (!ended() && text_[at_] != '"') {
            if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
            if (text_[at_] != '\r' && text_[at_] != '\n') result += text_[at_];
            ++at_;
        }
        if (!take('"')) return std::nullopt;
        return result;
    }
    // A token or a quoted string.
    std::optional<std::string> value(std::string_view more = "") {
        if (!ended() && text_[at_] == '"') {
            auto text = quoted_string();
            // A quoted local part goes on.
            if (text && !ended() && text_[at_] == '@') text->append(word("@:/"));
            return text;
        }
        const std::string_view plain = word(more);
        return plain.empty() ? std::nullopt : std::optional(std::string(plain));
    }

  private:
    std::string_view text_;
    std::size_t at_ = 0;
};

// "name = value" with blanks and comments between. False for what is not.
bool take_pair(Scanner& in, std::string& name, std::string& value, std::string_view more) {
    name = in.word();
    if (name.empty() || !in.skip()) return false;
    // Blanks may stand around the dot, too.
    while (!in.ended() && (in.rest().front() == '.' || name.ends_with('.'))) {
        const std::string_view more_name = in.word();
        if (more_name.empty() || !in.skip()) return false;
        name += more_name;
    }
    if (!in.take('=') || !in.skip()) return false;
    auto read = in.value(more);
    if (!read) return false;
    value = *std::move(read);
    return in.skip();
}

// "method[/version]=result [reason=...] [ptype.property=value ...]" up to ';' or the end.
bool take_method(Scanner& in, MethodResult& method) {
    method.method = lower(in.word());
    if (method.method.empty() || !in.skip()) return false;
    if (in.take('/') && (!in.skip() || in.word() != "1" || !in.skip())) return false;
    if (!in.take('=') || !in.skip()) return false;
    method.result = lower(in.word());
    if (method.result.empty() || !in.skip()) return false;
    while (!in.ended()) {
        if (in.take(';')) return in.skip();
        std::string name, value;
        if (!take_pair(in, name, value, "@:/=")) return false;
        if (equal_ignoring_case(name, "reason"))
            method.reason = value;
        else
            method.properties.emplace_back(lower(name), value);
    }
    return true;
}

}  // namespace

std::string comment_text(std::string_view text) {
    std::string result;
    for (const char c : shown(text)) {
        if (c == '(' || c == ')' || c == '\\') result += '\\';
        result += c;
    }
    return result;
}

std::string results_text(const AuthenticationResults& results) {
    if (results.methods.empty()) return "none";
    std::string text;
    for (const MethodResult& method : results.methods) {
        if (!text.empty()) text += "; ";
        const auto words = words_of(method);
        for (const std::string& word : words) text += (&word == &words.front() ? "" : " ") + word;
    }
    return text;
}

std::string results_field(const AuthenticationResults& results) {
    std::string text = "Authentication-Results: " + shown(results.server) + ";";
    if (results.methods.empty()) return text + " none\r\n";
    for (const MethodResult& method : results.methods) {
        FieldWriter line("");
        auto words = words_of(method);
        if (&method != &results.methods.back()) words.back() += ';';
        for (const std::string& word : words) line.add(word);
        // Each method begins a line of its own.
        text += "\r\n\t" + line.text().substr(line.text().find_first_not_of(": \t\r\n"));
    }
    return text + "\r\n";
}

std::optional<std::string> results_server(std::string_view body) {
    Scanner in(body);
    if (!in.skip()) return std::nullopt;
    const auto server = in.value("@:/");
    return server ? std::optional(lower(*server)) : std::nullopt;
}

std::string merged_results(const std::vector<HeaderField>& fields, std::string_view server) {
    std::string text;
    for (const HeaderField& field : fields) {
        if (!equal_ignoring_case(field.name, "Authentication-Results")) continue;
        Scanner in(field.body());
        if (results_server(field.body()) != lower(server) || !in.skip() || !in.value("@:/") || !in.skip())
            continue;
        // A version may follow the name.
        in.word();
        if (!in.skip() || !in.take(';')) continue;
        text += text.empty() ? "" : "; ";
        text += trim(in.rest());
    }
    return text.empty() ? "none" : text;
}

std::optional<AuthenticationResults> parse_results(std::string_view body) {
    AuthenticationResults results;
    Scanner in(body);
    if (!in.skip()) return std::nullopt;
    const auto server = in.value("@:/");
    if (!server || !in.skip()) return std::nullopt;
    results.server = *server;
    const std::string_view version = in.word();
    if (!version.empty() && (version != "1" || !in.skip())) return std::nullopt;
    if (in.ended()) return results;
    if (!in.take(';') || !in.skip()) return std::nullopt;
    while (!in.ended()) {
        MethodResult method;
        Scanner before = in;
        if (results.methods.empty() && equal_ignoring_case(in.word(), "none") && in.skip() && in.ended())
            return results;
        in = before;
        if (!take_method(in, method)) return std::nullopt;
        results.methods.push_back(std::move(method));
    }
    return results;
}

}  // namespace relais::authres
