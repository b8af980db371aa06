#include "mail/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include "base/text.h"

namespace relais::mail {
namespace {

bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

// Controls cannot be written in a path, quoted or not (RFC 5321, 4.1.2); octets above 127 can (RFC 6531).
bool is_control(char c) {
    return static_cast<unsigned char>(c) < 32 || c == 127;
}

std::string_view without_leading_blanks(std::string_view text) {
    const std::size_t first = text.find_first_not_of(" \t");
    return first == std::string_view::npos ? std::string_view() : text.substr(first);
}

// RFC 5321's atext, and what RFC 6531 adds.
bool is_atext(char c) {
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) return true;
    return static_cast<unsigned char>(c) >= 128 ||
           std::string_view("!#$%&'*+-/=?^_`{|}~").find(c) != std::string_view::npos;
}

bool is_dot_string(std::string_view text) {
    bool after_dot = true;
    for (const char c : text) {
        if (c == '.' ? after_dot : !is_atext(c)) return false;
        after_dot = c == '.';
    }
    return !after_dot;
}

// What lists add to the host of their sender, list-@host-@[], so that each recipient gets one of its own.
constexpr std::string_view verp_mark = "-@[]";

// Generous: a name, or a literal in brackets. "[]" too: #@[] is what qmail sends double bounces from.
bool is_domain(std::string_view text) {
    const bool literal = text.size() >= 2 && text.front() == '[' && text.back() == ']';
    const std::string_view inside = literal ? text.substr(1, text.size() - 2) : text;
    return !text.empty() && std::none_of(inside.begin(), inside.end(), [literal](char c) {
        return is_control(c) || std::string_view("<>()[]\",;@\\").find(c) != std::string_view::npos ||
               (c == ':' && !literal);
    });
}

// Takes one mailbox off the front of a text. In brackets it must end at '>', without them at a blank or the
// end.
class PathParser {
  public:
    explicit PathParser(std::string_view text) : rest_(text) {}

    std::optional<PathArgument> parse() {
        bracketed_ = take('<');
        if (bracketed_) rest_ = without_leading_blanks(rest_);
        if (!skip_source_route()) return std::nullopt;
        const bool something_written = !at_end();
        if (!take_local_part()) return std::nullopt;
        // A quoted '@' without a domain behind it would be taken for one that separates.
        if (take('@') ? !take_domain() : address_.find('@') != std::string::npos) return std::nullopt;
        if (bracketed_) rest_ = without_leading_blanks(rest_);
        if (!at_end() || (bracketed_ && !take('>'))) return std::nullopt;
        // Only <> is the null path: neither <""> nor an argument that is missing altogether.
        if (address_.empty() && (something_written || routed_ || !bracketed_)) return std::nullopt;
        if (address_.size() > address_limit) return std::nullopt;
        return PathArgument{std::move(address_), trim(rest_)};
    }

  private:
    bool take(char c) {
        if (rest_.empty() || rest_.front() != c) return false;
        rest_.remove_prefix(1);
        return true;
    }

    // At what closes the path: a '>' in brackets, otherwise a blank or the end.
    bool at_end() const {
        if (rest_.empty()) return !bracketed_;
        return bracketed_ ? rest_.front() == '>' : is_blank(rest_.front());
    }

    // "@a,@[192.0.2.1]:" says nothing to us (RFC 5321, appendix C).
    bool skip_source_route() {
        if (rest_.empty() || rest_.front() != '@') return true;
        routed_ = true;
        bool in_literal = false;
        while (!rest_.empty()) {
            const char c = rest_.front();
            rest_.remove_prefix(1);
            if (c == '[' || c == ']') in_literal = c == '[';
            if (c == ':' && !in_literal) return true;
            if (is_control(c) || c == '<' || c == '>' || c == '"' || c == '\\') return false;
        }
        return false;
    }

    // Quoted and unquoted pieces in any order, as old clients mix them, up to an unquoted '@' or the end.
    bool take_local_part() {
        bool quoted = false;
        while (!rest_.empty()) {
            char c = rest_.front();
            if (!quoted && (c == '@' || at_end())) return true;
            rest_.remove_prefix(1);
            if (c == '"') {
                quoted = !quoted;
                continue;
            }
            if (c == '\\') {
                if (rest_.empty()) return false;
                c = rest_.front();
                rest_.remove_prefix(1);
            } else if (!quoted && (c == '<' || c == '>')) {
                return false;
            } else if (!quoted && is_blank(c)) {
                // A blank before the closing bracket is forgiven, one within is not.
                rest_ = without_leading_blanks(rest_);
                return at_end();
            }
            if (is_control(c)) return false;
            address_ += c;
        }
        return !quoted && at_end();
    }

    bool take_domain() {
        address_ += '@';
        const std::string_view whole = rest_;
        std::size_t length = 0;
        while (length < whole.size() && whole[length] != '>' && !is_blank(whole[length])) ++length;
        const std::string_view domain = whole.substr(0, length);
        const bool verp = domain.size() > verp_mark.size() && domain.ends_with(verp_mark);
        if (!is_domain(verp ? domain.substr(0, length - verp_mark.size()) : domain)) return false;
        address_ += domain;
        rest_.remove_prefix(length);
        return true;
    }

    std::string_view rest_;
    bool bracketed_ = false;
    bool routed_ = false;
    std::string address_;
};

}  // namespace

AddressParts split_address(std::string_view address) {
    const std::size_t at = address.rfind('@');
    if (at == std::string_view::npos) return {address, {}, false};
    return {address.substr(0, at), address.substr(at + 1), true};
}

std::optional<PathArgument> parse_path(std::string_view argument) {
    return PathParser(without_leading_blanks(argument)).parse();
}

std::string quoted_address(std::string_view address) {
    if (address.empty()) return {};
    const AddressParts parts = split_address(address);
    if (is_dot_string(parts.local)) return std::string(address);
    std::string result = "\"";
    for (const char c : parts.local) {
        if (c == '"' || c == '\\') result += '\\';
        result += c;
    }
    result += '"';
    if (parts.has_domain) result.append("@").append(parts.domain);
    return result;
}

std::optional<std::string> address_literal(std::string_view domain) {
    if (domain.size() < 3 || domain.front() != '[' || domain.back() != ']') return std::nullopt;
    std::string_view inside = domain.substr(1, domain.size() - 2);
    if (inside.find('\0') != std::string_view::npos) return std::nullopt;
    constexpr std::string_view tag = "IPv6:";
    const bool tagged = starts_ignoring_case(inside, tag);
    if (tagged) inside.remove_prefix(tag.size());
    std::string address(inside);
    std::array<unsigned char, sizeof(in6_addr)> binary{};
    if (::inet_pton(tagged ? AF_INET6 : AF_INET, address.c_str(), binary.data()) != 1) return std::nullopt;
    return address;
}

}  // namespace relais::mail
