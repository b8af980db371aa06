// Tag lists (RFC 6376, 3.2): "name=value; name=value", the form of signatures, key records and DMARC records.
// Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace relais::authres {

class TagList {
  public:
    // Folding and blanks around names and values do not count, those within a value are kept. Nothing for a
    // syntax error: a tag without name or '=', a control character, a name that comes twice.
    static std::optional<TagList> parse(std::string_view text);

    // Names are case-sensitive. The view is into this object.
    std::optional<std::string_view> find(std::string_view name) const;
    // In their order.
    const std::vector<std::pair<std::string, std::string>>& tags() const { return tags_; }

  private:
    std::vector<std::pair<std::string, std::string>> tags_;
};

// The field "Name: a=x; b=...; c=y" with nothing between "b=" and the next semicolon, or the end.
std::string without_signature(std::string_view field);

// The text without blanks and line ends.
std::string without_blanks(std::string_view text);
// The parts between colons, trimmed.
std::vector<std::string> split_at_colons(std::string_view text);
// True if one of the parts between colons is the word.
bool lists(std::string_view text, std::string_view word);

// Base64 as signatures and keys have it: blanks and line ends anywhere, padding or none. Nothing for other
// characters.
std::optional<std::string> decode_folded_base64(std::string_view text);

}  // namespace relais::authres
