// Rules as text, one a line, and the cdb they are compiled into.
//
//   rule        = address ":" ("allow" / "deny") *("," name "=" quote value quote)    quote: any octet
//   address     = see address.h; info@address, =host, info@=host, =.suffix, "=" and nothing at all are taken as they are
//   record data = ["D" NUL] *("+" name "=" value NUL)
//
// Lines that begin with '#' and lines without a colon do not count; neither do blanks and tabs at the end of
// a line.
#pragma once

#include <functional>
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
    // Calls visit for each key and the number (from 0) of the rule that makes it, in the order of the cdb; of
    // equal keys the first counts. Keys that a rule for a longer network takes away are left out.
    void for_each_key(const std::function<void(const std::string& key, std::size_t rule)>& visit) const;
    // Replaces cdb by these rules, through the file temporary; the old one stands if anything fails. Throws
    // Error.
    void write(const std::string& cdb, const std::string& temporary) const;

  private:
    std::vector<Rule> rules_;
};

}  // namespace relais::tcprules
