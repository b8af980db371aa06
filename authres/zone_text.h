// The text of a zone file (RFC 1035, 5.1): its entries, and names. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relais::authres {

// One entry: what stands on a line, or on several within parentheses.
struct ZoneEntry {
    std::size_t line = 0;   // where it begins, from 1
    bool indented = false;  // begins with a blank: the owner is the last one
    bool complete =
        true;  // false: a quote or parenthesis is never closed, or closed without having been opened
    struct Field {
        std::string text;  // escapes as they were written
        bool quoted = false;
    };
    std::vector<Field> fields;
};

class ZoneText {
  public:
    // Borrows the text.
    explicit ZoneText(std::string_view text) : text_(text) {}
    // The next entry that has fields; nothing at the end.
    std::optional<ZoneEntry> next();

  private:
    bool take_field(ZoneEntry& entry);
    void take_quoted(ZoneEntry& entry);
    void take_word(ZoneEntry& entry);

    std::string_view text_;
    std::size_t at_ = 0;
    std::size_t line_ = 1;
    int depth_ = 0;
};

// The octets that the text stands for: \X is X, \DDD the octet of that decimal number. Nothing for a wrong
// escape.
std::optional<std::string> unescaped(std::string_view text);

// The key of a name in a zone (authres/zone.h). A text is split at dots; labels are as they are. Nothing for
// labels that are empty or longer than 63 octets, and for names above 253.
std::optional<std::string> name_key(std::string_view name);
// Where the last label of a key begins.
std::size_t last_label_at(std::string_view key);

// A name as a zone file has it, with escapes, relative to an absolute origin, without its final dot. A dot
// within a label is written as "\046", which no question has. Nothing for what is no name.
std::optional<std::string> absolute_name(std::string_view text, std::string_view origin);

}  // namespace relais::authres
