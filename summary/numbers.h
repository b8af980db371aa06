// What the counters said at one moment, and what is kept of it from one summary to the next. Pure.
//
//   numbers = ("count" KEY NUMBER LF)*         KEY: "smtp.refused/dnsbl", a row of metrics/table.h and a value
//                                              of its label; "send.expired" for a row without one; "level/NAME"
//   state   = "relais summary 1" LF "since" SECONDS LF ["before" SECONDS LF] ["trying" SECONDS LF]
//             ("count" ... | "earlier" KEY NUMBER LF)*
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "metrics/page.h"

namespace relais::summary {

using Numbers = std::map<std::string, std::uint64_t>;

// All counters that are not 0, and the levels of the queue.
Numbers numbers_of(const metrics::Pages& pages);
// What was counted from one to the other; a counter that was begun anew counts from 0.
Numbers growth(const Numbers& from, const Numbers& to);
// All values of a row of the table, or one of them.
std::uint64_t sum(const Numbers& numbers, std::string_view key, std::string_view value = "");

inline constexpr std::size_t numbers_limit = 4096;
std::string encode(const Numbers& numbers, std::string_view word = "count");

// Between two summaries.
struct State {
    std::uint64_t since = 0;   // when the period began, seconds since 1970
    std::uint64_t before = 0;  // how long the one before was; 0: there was none
    std::uint64_t trying = 0;  // when its summary was last begun, where that has not been handed over
    Numbers counted{};         // when it began
    Numbers earlier{};         // what was counted in the one before
};
std::string encode(const State& state);
// Nothing for what is no state.
std::optional<State> parse_state(std::string_view text);

// Takes one line "WORD KEY NUMBER" into numbers; false if it is none.
bool take_number(std::string_view line, std::string_view word, Numbers& numbers);

}  // namespace relais::summary
