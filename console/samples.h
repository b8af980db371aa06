// What moved lately: the counters of all roles (metrics/), looked at every few seconds and kept for an hour.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <string>

#include "base/event_loop.h"
#include "control/home.h"
#include "metrics/levels.h"

namespace relais::console {

using metrics::Count;
using metrics::Levels;
using metrics::Sample;

class Samples {
  public:
    static constexpr std::size_t minutes = 60;
    static constexpr Seconds between{5};

    // Looks now, and then as long as the loop runs.
    Samples(EventLoop& loop, control::Home home);

    const Levels& levels() const { return levels_; }
    // How much was counted in each of the last minutes, the oldest first; a counter that was begun anew
    // counts from 0.
    std::array<std::uint64_t, minutes> per_minute(Count count) const;

  private:
    void look();

    EventLoop& loop_;
    control::Home home_;
    std::deque<Sample> samples_;
    Levels levels_;
};

// Bars, a stack for each minute, with a title for those who cannot see them. names and values: of each part
// of the stacks, from below.
struct Series {
    std::string_view name;
    std::array<std::uint64_t, Samples::minutes> values;
};
std::string bars(std::string_view caption, const std::vector<Series>& series);

}  // namespace relais::console
