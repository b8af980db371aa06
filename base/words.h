// Lines as people write them into control files: words between blanks, and patterns with wildcards. Pure.
#pragma once

#include <string_view>
#include <vector>

namespace relais {

// What stands between blanks and tabs, in order. Views of the line.
std::vector<std::string_view> words_of(std::string_view line);

// Whether the pattern fits the whole text: '*' stands for any octets, any_one, where it is not NUL, for one
// octet. Case does not count. A long text costs its length times the pattern's at most.
bool matches_pattern(std::string_view pattern, std::string_view text, char any_one = '\0');

}  // namespace relais
