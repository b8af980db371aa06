// When a message is tried, and how old it is: pure functions and one small clock watcher.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "send/channel.h"

namespace relais::send {

// Seconds from now (unix seconds) until the next try of a message born at birth: the time of
// birth + (sqrt(age) + 10 local | 20 remote)^2.
std::int64_t seconds_to_next_try(std::int64_t birth, std::int64_t now, Channel channel);

// The longest that a message waits after a start, unless there are very many.
inline constexpr std::int64_t start_spread = 600;
// Seconds until a message found in the queue at the start is tried. Young ones at once; others at a random
// moment, so that a start with a million messages does not try them all together. random: any number.
std::int64_t seconds_to_first_try(std::int64_t birth, std::int64_t now, std::uint64_t random);

// Compares the wall clock with the monotonic one, and with what an earlier qmail-send has seen of it. A jump
// (a boot in 1970, a wrong date, a machine that slept or was off) must not make mail look old that nobody had
// the time to try.
class ClockWatch {
  public:
    ClockWatch(std::int64_t wall, std::int64_t monotonic) : offset_(wall - monotonic) {}
    // memory: what an earlier one's memory() said; anything else counts as none. Returns by how much the
    // clock stands apart from that one's last look: mostly 0, for less than an hour does not count.
    std::int64_t resume(std::string_view memory, std::int64_t wall);
    // For the next one, to be kept now and then: at least every half hour.
    std::string memory(std::int64_t wall) const;
    // To be called now and then, in seconds. Returns by how much the wall clock has jumped since; 0 almost
    // always.
    std::int64_t observe(std::int64_t wall, std::int64_t monotonic);
    // Seconds a message has spent in the queue, without what jumps seem to have added.
    std::int64_t age(std::int64_t birth, std::int64_t wall) const;

  private:
    // What looks older by amount than it is: everything born from low to before high.
    struct Jump {
        std::int64_t low;
        std::int64_t high;
        std::int64_t amount;  // seconds
    };
    void note(std::int64_t jump, std::int64_t wall);
    void note_forward(std::int64_t jump, std::int64_t wall);

    std::int64_t offset_;
    std::vector<Jump> jumps_;
    // The clock was set back by so much without having gone forward before, to that time: mail born from then
    // on looks too old as soon as it is right again.
    std::int64_t behind_ = 0;
    std::int64_t behind_since_ = 0;
};

}  // namespace relais::send
