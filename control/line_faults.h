// What is wrong with a line of a control file, in words for the administrator. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "control/table.h"

namespace relais::control {

// Of a file of lines or domains.
std::vector<std::string> line_faults(const ControlFile& row, const std::string& line);
// Of a file of words: those that it does not know.
std::vector<std::string> word_faults(const ControlFile& row, std::string_view line);

std::string quoted(std::string_view text);
// Whether it can be the name of a domain or host.
bool is_domain(std::string_view text);

}  // namespace relais::control
