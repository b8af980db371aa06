// Octets and ASCII: mail knows no locale.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relais {

char lower(char c);
std::string lower(std::string_view text);
// Equal without regard to the case of ASCII letters.
bool equal_ignoring_case(std::string_view a, std::string_view b);
bool starts_ignoring_case(std::string_view text, std::string_view prefix);

// Without leading and trailing spaces, tabs, CR and LF.
std::string_view trim(std::string_view text);
// The parts between separators, empty ones too; {""} for an empty text. The views point into text.
std::vector<std::string_view> split(std::string_view text, char separator);

// A decimal number that fills the whole text; nothing otherwise or when it does not fit.
std::optional<std::uint64_t> parse_number(std::string_view text);

// The text with every octet outside printable ASCII, and '%', written as '_', spaces as '_' too when asked:
// what may stand in a log line.
std::string safe_for_log(std::string_view text);

}  // namespace relais
