#include "policy/name_list.h"

#include "base/idna.h"
#include "base/text.h"
#include "base/words.h"

namespace relais::policy {

NameList::NameList(const std::vector<std::string>& lines) {
    for (const std::string& line : lines) {
        std::string name = comparable(line);
        if (name.find_first_of("*?") != std::string::npos)
            patterns_.push_back(std::move(name));
        else
            names_.insert(std::move(name));
    }
}

std::optional<std::string> NameList::find(const std::string& name) const {
    if (names_.contains(name)) return name;
    for (const std::string& pattern : patterns_)
        if (matches_pattern(pattern, name, '?')) return pattern;
    return std::nullopt;
}

std::optional<std::string> NameList::match(std::string_view text) const {
    if (empty() || text.empty()) return std::nullopt;
    return find(comparable(text));
}

std::optional<std::string> NameList::match_address(std::string_view address) const {
    if (empty() || address.empty()) return std::nullopt;
    const std::string name = comparable(address);
    if (auto entry = find(name)) return entry;
    const std::size_t at = name.rfind('@');
    return at == std::string::npos ? std::nullopt : find(name.substr(at));
}

}  // namespace relais::policy
