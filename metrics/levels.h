// What the counters say at a glance: how much has come and gone, and what is there now.
#pragma once

#include <array>
#include <cstdint>

#include "base/deadline.h"
#include "metrics/page.h"

namespace relais::metrics {

enum class Count { in, local, remote, deferred, failed, refused };
inline constexpr std::size_t count_kinds = 6;

// Sums of counters that have only grown.
struct Sample {
    Clock::time_point time{};
    std::array<std::uint64_t, count_kinds> counts{};
};

// What the pages say now.
struct Levels {
    bool known = false;
    std::uint64_t queue = 0, held = 0, damaged = 0;
    std::uint64_t running_local = 0, limit_local = 0, running_remote = 0, limit_remote = 0;
    std::int64_t looked = 0;  // when qmail-send wrote that
};

Sample sample_of(const Pages& pages, Clock::time_point now);
Levels levels_of(const Pages& pages);

// What was counted between two samples; a counter that was begun anew counts from 0.
std::uint64_t growth(const Sample& before, const Sample& after, Count count);

// All values of a row of the table, or one of them.
std::uint64_t sum(const Pages& pages, std::string_view key, std::string_view value = "");

}  // namespace relais::metrics
