// Text from outside, for a terminal.
#pragma once

#include <string>
#include <string_view>

namespace relais {

// The text with octets that could command a terminal, and what is not UTF-8, as '_'. Line ends too.
std::string printable(std::string_view text);

}  // namespace relais
