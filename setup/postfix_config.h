// What a Postfix was told, as its own postconf and postmap read it, and the forms in which it is told.
// Postfix's programs run as whoever runs us: they read files that only the administrator of that Postfix
// may write.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace relais::setup {

// "name = value" lines, as postconf prints them; what is no such line does not count. Pure.
std::map<std::string, std::string> parse_settings(std::string_view text);
// Words between commas and blanks. Pure.
std::vector<std::string> list_of(std::string_view value);
// "[host]:port", "host", ":port": a next hop. Pure.
struct NextHop {
    std::string host{};  // without brackets; "" is the recipient's domain
    bool exact = false;  // in brackets: its MX is not asked for
    unsigned port = 25;
};
std::optional<NextHop> parse_next_hop(std::string_view text);
// "3h" as seconds; without a letter the unit's. Pure.
std::optional<std::uint64_t> parse_span(std::string_view text, char unit);

using MapEntries = std::vector<std::pair<std::string, std::string>>;
// "key TAB value" lines. Pure.
MapEntries parse_map(std::string_view text);

class PostfixConfig {
  public:
    // Reads main.cf below that directory. Throws a permanent Error if postconf cannot, or if anybody but
    // root or this user may write it.
    explicit PostfixConfig(const std::string& directory);
    // For tests.
    PostfixConfig(std::map<std::string, std::string> told, std::map<std::string, MapEntries> maps)
        : told_(std::move(told)), maps_(std::move(maps)) {}

    // What main.cf says, names that nothing is said of too; references are expanded. "" for none.
    std::string value(const std::string& name) const;
    // Whether main.cf says it itself.
    bool says(const std::string& name) const { return told_.contains(name); }
    const std::map<std::string, std::string>& told() const { return told_; }
    // myorigin, be it in a file.
    std::string origin() const;

    // All of a map of type:name; nothing where it cannot be listed (pcre, regexp, LDAP, SQL), with why.
    std::optional<MapEntries> map(const std::string& map, std::string& why) const;
    // The members of a list: names, lines of /files, keys of maps. What cannot be listed goes to missed.
    std::vector<std::string> members(const std::string& value, std::vector<std::string>& missed) const;

  private:
    std::string directory_{};
    std::map<std::string, std::string> told_;
    std::map<std::string, std::string> defaults_{};
    std::map<std::string, MapEntries> maps_{};
};

}  // namespace relais::setup
