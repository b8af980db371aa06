// The lines of badmailfrom, badrcptto, badhelo and their like: names or addresses, where "*" stands for any
// octets and "?" for one. Case does not count. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace relais::policy {

class NameList {
  public:
    NameList() = default;
    // The lines of the file, comments taken out.
    explicit NameList(const std::vector<std::string>& lines);

    bool empty() const { return names_.empty() && patterns_.empty(); }
    // The line, in lower case, that the text matches wholly.
    std::optional<std::string> match(std::string_view text) const;
    // The line that the address or its "@domain" matches; nothing for the null address.
    std::optional<std::string> match_address(std::string_view address) const;

  private:
    std::optional<std::string> find(const std::string& name) const;

    std::unordered_set<std::string> names_;
    std::vector<std::string> patterns_;
};

}  // namespace relais::policy
