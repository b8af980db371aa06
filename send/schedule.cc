#include "send/schedule.h"

#include <algorithm>
#include <cmath>

namespace relais::send {
namespace {

constexpr std::int64_t local_skip = 10;
constexpr std::int64_t remote_skip = 20;
// A step of NTP or a leap second is not worth a word.
constexpr std::int64_t jump_threshold = 60;

}  // namespace

std::int64_t seconds_to_next_try(std::int64_t birth, std::int64_t now, bool local) {
    const std::int64_t age = std::max<std::int64_t>(0, now - birth);
    const auto root = static_cast<std::int64_t>(std::sqrt(static_cast<double>(age)));
    const std::int64_t n = root + (local ? local_skip : remote_skip);
    return n * n - age;
}

std::int64_t seconds_to_first_try(std::int64_t birth, std::int64_t now, std::uint64_t random) {
    if (now - birth < start_spread) return 0;
    const std::int64_t span =
        std::clamp<std::int64_t>(seconds_to_next_try(birth, now, false), 1, start_spread);
    return static_cast<std::int64_t>(random % static_cast<std::uint64_t>(span));
}

std::int64_t ClockWatch::observe(std::int64_t wall, std::int64_t monotonic) {
    const std::int64_t jump = wall - monotonic - offset_;
    if (std::abs(jump) < jump_threshold) return 0;
    offset_ += jump;
    if (jump > 0) {
        jumps_.push_back({wall, jump});
        return jump;
    }
    // Back again: what earlier jumps added and this one takes is no jump any more.
    for (std::int64_t back = -jump; back > 0 && !jumps_.empty();) {
        const std::int64_t taken = std::min(back, jumps_.back().amount);
        back -= taken;
        if ((jumps_.back().amount -= taken) == 0) jumps_.pop_back();
    }
    return jump;
}

std::int64_t ClockWatch::age(std::int64_t birth, std::int64_t wall) const {
    std::int64_t age = wall - birth;
    for (const Jump& jump : jumps_)
        if (birth < jump.wall) age -= jump.amount;
    return std::max<std::int64_t>(0, age);
}

}  // namespace relais::send
