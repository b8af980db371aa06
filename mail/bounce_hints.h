// What a refusal means: from the words of a server to cause and remedy, by a table. Pure.
//
// A table is text (bouncehints.5). A line "[NAME]" begins a hint; the lines below it are "cause TEXT",
// "remedy TEXT" and any number of "match PATTERN". Empty lines and those that begin with '#' do not count; a
// line that begins with a blank continues the one before. The first hint with a pattern that matches counts.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace relais::mail {

// Of a reply no more than this is looked at, in octets.
inline constexpr std::size_t reply_limit = 65536;
// What does not fit is left out: hints in all, octets of a table.
inline constexpr std::size_t hint_limit = 10'000;
inline constexpr std::size_t hint_table_limit = std::size_t{1} << 20;

struct BounceHint {
    std::string name;    // for programs and for the administrator's own lines
    std::string cause;   // one sentence
    std::string remedy;  // one sentence or two; may be empty
    friend bool operator==(const BounceHint&, const BounceHint&) = default;
};

// A reply as patterns see it: letters in lower case (Latin, Cyrillic), every run of blanks, line ends and '_'
// (a log has those for blanks) one blank, typographic apostrophes straight.
std::string plain_reply(std::string_view text);

class HintTable {
  public:
    struct Mistake {
        std::size_t line;  // from 1
        std::string text;
    };

    // Adds a table behind what is there. Lines that cannot be used are left out and told; a hint without a
    // cause or without a pattern is one.
    void add(std::string_view table, std::vector<Mistake>& mistakes);
    // The hint for a reply; nullptr if no pattern matches. Valid as long as the table.
    const BounceHint* match(std::string_view reply) const;
    std::size_t size() const { return hints_.size(); }

    // The table that comes with the programs, as text.
    static std::string_view built_in();

  private:
    // Pieces that must follow one another, anywhere in the reply.
    using Pattern = std::vector<std::string>;
    struct Entry {
        BounceHint hint;
        std::vector<Pattern> patterns;
    };
    class Parser;
    std::vector<Entry> hints_;
};

}  // namespace relais::mail
