// RFC 5322's addr-spec with everything obsolete that it still allows to be read (3.4.1 and 4.4), and UTF-8
// (RFC 6532).
#include <string_view>

#include "mail/address.h"

namespace relais::mail {
namespace {

class AddrSpecReader {
  public:
    explicit AddrSpecReader(std::string_view text) : rest_(text) {}

    bool whole() { return words(true) && take('@') && domain() && rest_.empty(); }

  private:
    bool take(char c) {
        if (rest_.empty() || rest_.front() != c) return false;
        rest_.remove_prefix(1);
        return true;
    }

    // Folding white space: blanks, and line ends that blanks follow. False for a CR or LF that is no fold.
    bool skip_white_space() {
        for (;;) {
            if (take(' ') || take('\t')) continue;
            if (rest_.empty() || (rest_.front() != '\r' && rest_.front() != '\n')) return true;
            if (!rest_.starts_with("\r\n ") && !rest_.starts_with("\r\n\t")) return false;
            rest_.remove_prefix(3);
        }
    }

    bool skip_comments() {
        for (std::size_t depth = 0;;) {
            if (!skip_white_space()) return false;
            if (take('(')) {
                ++depth;
            } else if (depth == 0) {
                return true;
            } else if (take(')')) {
                --depth;
            } else if (!take_text("\r\n")) {
                return false;
            }
        }
    }

    // One octet that is not among the forbidden, or any octet after a backslash (obs-qp, 4.1).
    bool take_text(std::string_view forbidden) {
        if (take('\\')) {
            if (rest_.empty() || static_cast<unsigned char>(rest_.front()) >= 128) return false;
        } else if (rest_.empty() || forbidden.find(rest_.front()) != std::string_view::npos ||
                   rest_.front() == '\0') {
            return false;
        }
        rest_.remove_prefix(1);
        return true;
    }

    bool take_quoted_string() {
        for (;;) {
            if (!skip_white_space()) return false;
            if (take('"')) return true;
            if (!take_text("\r\n")) return false;
        }
    }

    bool take_domain_literal() {
        for (;;) {
            if (!skip_white_space()) return false;
            if (take(']')) return true;
            if (!take_text("\r\n[")) return false;
        }
    }

    bool take_atom() {
        std::size_t length = 0;
        while (length < rest_.size() && static_cast<unsigned char>(rest_[length]) > 32 &&
               rest_[length] != 127 &&
               std::string_view("()<>[]:;@\\,.\"").find(rest_[length]) == std::string_view::npos)
            ++length;
        rest_.remove_prefix(length);
        return length > 0;
    }

    // word *("." word), comments and white space around each.
    bool words(bool quoted_allowed) {
        do {
            if (!skip_comments()) return false;
            const bool quoted = quoted_allowed && take('"');
            if (quoted ? !take_quoted_string() : !take_atom()) return false;
            if (!skip_comments()) return false;
        } while (take('.'));
        return true;
    }

    bool domain() {
        if (!skip_comments()) return false;
        if (take('[')) return take_domain_literal() && skip_comments();
        return words(false);
    }

    std::string_view rest_;
};

}  // namespace

bool is_addr_spec(std::string_view text) {
    return AddrSpecReader(text).whole();
}

}  // namespace relais::mail
