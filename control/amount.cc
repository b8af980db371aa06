#include "control/amount.h"

#include <algorithm>
#include <string>

#include "base/text.h"

namespace relais::control {
namespace {

// How often 1024 a unit is, and how much of the text it takes; nothing if there is none.
struct Unit {
    unsigned power = 0;
    std::size_t length = 0;
};
Unit unit_of(std::string_view text) {
    constexpr std::string_view letters = "kmg";
    const std::string word = lower(text.substr(0, text.find_first_of(" \t")));
    if (word.empty()) return {};
    const std::size_t power = letters.find(word.front());
    const std::string rest = word.substr(1);
    if (power == std::string_view::npos || (!rest.empty() && rest != "b" && rest != "ib")) return {};
    return {static_cast<unsigned>(power + 1), word.size()};
}

struct Amount {
    std::uint64_t value = 0;
    std::string_view rest;
};
std::optional<Amount> read_amount(std::string_view text) {
    const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    const auto number = parse_number(text.substr(0, digits));
    if (!number) return std::nullopt;
    const Unit unit = unit_of(text.substr(digits));
    const unsigned shift = 10 * unit.power;
    if (*number > UINT64_MAX >> shift) return std::nullopt;
    return Amount{*number << shift, text.substr(digits + unit.length)};
}

}  // namespace

std::optional<std::uint64_t> parse_amount(std::string_view text) {
    const auto amount = read_amount(text);
    return amount ? std::optional(amount->value) : std::nullopt;
}

std::optional<std::uint64_t> parse_whole_amount(std::string_view text) {
    const auto amount = read_amount(text);
    return amount && amount->rest.empty() ? std::optional(amount->value) : std::nullopt;
}

}  // namespace relais::control
