// Rules as text, one a line, and the cdb they are compiled into.
//
//   rule        = address ":" ("allow" / "deny") *("," name "=" quote value quote)    quote: any octet
//   address     = see address.h; info@address, =host, info@=host, =.suffix, "=" and nothing at all are taken as they are
//   record data = ["D" NUL] *("+" name "=" value NUL)
//
// Lines that begin with '#' and lines without a colon do not count; neither do blanks and tabs at the end of
// a line.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tcprules/address.h"

namespace relais::tcprules {

struct Rule {
    std::vector<Key> keys;
    std::string data;
};

// No rule stands in the line.
struct Nothing {};

// The line without its LF. Pure.
std::variant<Nothing, Rule, Wrong> parse_rule(std::string_view line);

// All rules of a file, and which of them counts where several make the same key.
class RuleSet {
  public:
    void add(Rule rule) { rules_.push_back(std::move(rule)); }
    // Replaces cdb by these rules, through the file temporary; the old one stands if anything fails. Throws
    // Error.
    void write(const std::string& cdb, const std::string& temporary) const;

  private:
    std::vector<Rule> rules_;
};

}  // namespace relais::tcprules
