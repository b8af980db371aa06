// Rules as the administrator writes them, with the line of each: for those that explain what a cdb says.
// Pure.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "tcprules/compile.h"
#include "tcprules/rules.h"

namespace relais::tcprules {

// A line with a rule, or one that should be one.
struct TextLine {
    std::string file;
    std::size_t number;   // from 1
    std::string text;     // without blanks at its ends
    std::string address;  // what stands before ":allow" or ":deny"
    std::variant<Rule, Wrong> parsed;
    std::size_t counting_keys = 0;  // of those that it makes; none: earlier lines have all of them

    const Rule* rule() const { return std::get_if<Rule>(&parsed); }
    // What it says, whatever the client; rule() must be there.
    Decision decision() const { return decode_record(address, rule()->data); }
};

// One or more files that are compiled together.
class RulesText {
  public:
    // Files in the order in which they are compiled.
    struct File {
        std::string name;
        std::string content;
    };
    explicit RulesText(const std::vector<File>& files);

    const std::vector<TextLine>& lines() const { return lines_; }
    // The line whose rule has the key in the cdb that is made of this text; nothing if none has.
    const TextLine* line_of(const std::string& key) const;
    // As RulesFile::look_up for that cdb.
    Decision look_up(const Client& client) const;
    // The first line for which tcprules refuses the whole file.
    const TextLine* first_wrong() const;

  private:
    std::vector<TextLine> lines_;
    std::unordered_map<std::string, std::size_t> keys_;  // places in lines_
};

}  // namespace relais::tcprules
