#include "tcprules/compile.h"

#include <algorithm>
#include <unordered_map>

#include "base/cdb.h"

namespace relais::tcprules {
namespace {

std::string_view without_trailing_blanks(std::string_view line) {
    const std::size_t last = line.find_last_not_of(" \t\n");
    return last == std::string_view::npos ? std::string_view() : line.substr(0, last + 1);
}

// The colon that ends the address: the first one that instructions follow, as an IPv6 address has colons of
// its own.
std::size_t instruction_colon(std::string_view line) {
    return std::min(line.find(":allow"), line.find(":deny"));
}

// ",NAME=/value/" and so on, added to the record's data. The reason if there is something else.
std::optional<Wrong> add_variables(std::string_view text, std::string& data) {
    while (!text.empty()) {
        if (text.front() != ',') return Wrong{"a comma must follow"};
        const std::size_t equals = text.find('=');
        if (equals == std::string_view::npos) return Wrong{"a variable is written NAME=\"value\""};
        if (equals + 1 == text.size()) return Wrong{"a variable's value must be quoted"};
        const std::size_t end = text.find(text[equals + 1], equals + 2);
        if (end == std::string_view::npos) return Wrong{"the quote of a value does not end"};
        data.append("+")
            .append(text.substr(1, equals))
            .append(text.substr(equals + 2, end - equals - 2))
            .append(1, '\0');
        text.remove_prefix(end + 1);
    }
    return std::nullopt;
}

}  // namespace

std::variant<Nothing, Rule, Wrong> parse_rule(std::string_view line) {
    if (line.starts_with('#')) return Nothing{};
    line = without_trailing_blanks(line);
    if (line.find(':') == std::string_view::npos) return Nothing{};
    if (line.find('\0') != std::string_view::npos) return Wrong{"it has a NUL"};
    const std::size_t colon = instruction_colon(line);
    if (colon == std::string_view::npos) return Wrong{"allow or deny must follow the address"};

    Rule rule;
    std::string_view instructions = line.substr(colon + 1);
    const bool deny = instructions.starts_with("deny");
    if (deny) rule.data.append("D\0", 2);
    instructions.remove_prefix(deny ? 4 : 5);
    if (instructions.ends_with('\r')) return Wrong{"it ends in CR: lines must end in LF alone"};
    if (auto wrong = add_variables(instructions, rule.data)) return *wrong;
    auto keys = keys_of_address(line.substr(0, colon));
    if (auto* wrong = std::get_if<Wrong>(&keys)) return *wrong;
    rule.keys = std::move(std::get<std::vector<Key>>(keys));
    return rule;
}

void RuleSet::for_each_key(const std::function<void(const std::string& key, std::size_t rule)>& visit) const {
    // Only where a network was cut into keys that say more than it does can a later rule be the better one.
    std::unordered_map<std::string_view, unsigned> longest;
    const bool cut = std::any_of(rules_.begin(), rules_.end(), [](const Rule& rule) {
        return !rule.keys.empty() && rule.keys.front().bits != whole_network;
    });
    if (cut)
        for (const Rule& rule : rules_)
            for (const Key& key : rule.keys) longest[key.text] = std::max(longest[key.text], key.bits);
    for (std::size_t number = 0; number < rules_.size(); ++number)
        for (const Key& key : rules_[number].keys)
            if (!cut || longest.at(key.text) == key.bits) visit(key.text, number);
}

void RuleSet::write(const std::string& cdb, const std::string& temporary) const {
    CdbWriter writer(cdb, temporary);
    for_each_key([&](const std::string& key, std::size_t rule) { writer.add(key, rules_[rule].data); });
    writer.commit();
}

}  // namespace relais::tcprules
