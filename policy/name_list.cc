#include "policy/name_list.h"

#include "base/text.h"

namespace relais::policy {
namespace {

// Goes back to the last "*" alone, so that a long text against many of them costs a product and no more.
bool matches(std::string_view pattern, std::string_view text) {
    std::size_t p = 0;
    std::size_t t = 0;
    std::size_t star = std::string_view::npos;
    std::size_t after_star = 0;
    while (t < text.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            after_star = t;
        } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
            ++p;
            ++t;
        } else if (star != std::string_view::npos) {
            p = star + 1;
            t = ++after_star;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*') ++p;
    return p == pattern.size();
}

}  // namespace

NameList::NameList(const std::vector<std::string>& lines) {
    for (const std::string& line : lines) {
        std::string name = lower(line);
        if (name.find_first_of("*?") != std::string::npos)
            patterns_.push_back(std::move(name));
        else
            names_.insert(std::move(name));
    }
}

std::optional<std::string> NameList::find(const std::string& name) const {
    if (names_.contains(name)) return name;
    for (const std::string& pattern : patterns_)
        if (matches(pattern, name)) return pattern;
    return std::nullopt;
}

std::optional<std::string> NameList::match(std::string_view text) const {
    if (empty() || text.empty()) return std::nullopt;
    return find(lower(text));
}

std::optional<std::string> NameList::match_address(std::string_view address) const {
    if (empty() || address.empty()) return std::nullopt;
    const std::string name = lower(address);
    if (auto entry = find(name)) return entry;
    const std::size_t at = name.rfind('@');
    return at == std::string::npos ? std::nullopt : find(name.substr(at));
}

}  // namespace relais::policy
