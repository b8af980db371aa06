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

// A setting for one service of master.cf.
struct Override {
    std::string service;  // "smtp/inet"
    std::string name;
};
// Of "service/type/name = value" lines, as postconf -P prints them, those that say who may relay. Pure.
std::vector<Override> parse_overrides(std::string_view text);

// Throws a permanent Error if somebody else than root could put another file in the place of that one, which
// root is to read; for others it does nothing. A link may lead to it, if it does so at once.
void refuse_foreign_place(const std::string& path);

class PostfixConfig {
  public:
    // Reads main.cf below that directory. Throws a permanent Error if postconf cannot, or if anybody but
    // root or this user may write it or, where root reads it, put another in its place.
    explicit PostfixConfig(const std::string& directory);
    // For tests.
    PostfixConfig(std::map<std::string, std::string> told, std::map<std::string, MapEntries> maps,
                  std::vector<Override> overrides = {})
        : told_(std::move(told)), maps_(std::move(maps)), overrides_(std::move(overrides)) {}

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
    // Those of mynetworks, in order; "!" stays before what is excepted.
    std::vector<std::string> networks(std::vector<std::string>& missed) const;
    // What master.cf says otherwise of who may relay, and why it could not be read.
    const std::vector<Override>& overrides() const { return overrides_; }
    const std::string& overrides_trouble() const { return overrides_trouble_; }

  private:
    std::string directory_{};
    std::map<std::string, std::string> told_;
    std::map<std::string, std::string> defaults_{};
    mutable std::map<std::string, MapEntries> maps_{};  // what has been listed
    std::vector<Override> overrides_{};
    std::string overrides_trouble_{};
};

}  // namespace relais::setup
