// Numbers as control files and rules have them: "1000", or with a unit of 1024 behind it, "10M" (k, M, G, in
// either case, also as "MB" and "MiB"). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace relais::control {

// What follows otherwise does not count. Nothing without a digit in front, or if it is too large.
std::optional<std::uint64_t> parse_amount(std::string_view text);
// The same, if nothing else stands there: nothing for "10 M" and "10x".
std::optional<std::uint64_t> parse_whole_amount(std::string_view text);

}  // namespace relais::control
