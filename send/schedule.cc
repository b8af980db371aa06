#include "send/schedule.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"

namespace relais::send {
namespace {

constexpr std::int64_t local_skip = 10;
constexpr std::int64_t remote_skip = 20;
// A step of NTP or a leap second is not worth a word.
constexpr std::int64_t jump_threshold = 60;
// Nor is a short rest, or what lies between two times that the memory was kept.
constexpr std::int64_t rest_threshold = 3600;
constexpr std::size_t jumps_kept = 100;

}  // namespace

std::int64_t seconds_to_next_try(std::int64_t birth, std::int64_t now, Channel channel) {
    const std::int64_t age = std::max<std::int64_t>(0, now - birth);
    const auto root = static_cast<std::int64_t>(std::sqrt(static_cast<double>(age)));
    const std::int64_t n = root + (channel == Channel::local ? local_skip : remote_skip);
    return n * n - age;
}

std::int64_t seconds_to_first_try(std::int64_t birth, std::int64_t now, std::uint64_t random) {
    if (now - birth < start_spread) return 0;
    const std::int64_t span =
        std::clamp<std::int64_t>(seconds_to_next_try(birth, now, Channel::remote), 1, start_spread);
    return static_cast<std::int64_t>(random % static_cast<std::uint64_t>(span));
}

std::int64_t ClockWatch::resume(std::string_view memory, std::int64_t wall) {
    std::int64_t seen = 0;
    for (const std::string_view line : split(memory, '\n')) {
        const auto words = split(line, ' ');
        std::vector<std::int64_t> numbers;
        for (std::size_t i = 1; i < words.size(); ++i)
            numbers.push_back(static_cast<std::int64_t>(parse_number(words[i]).value_or(0)));
        if (words[0] == "seen" && numbers.size() == 1) seen = numbers[0];
        if (words[0] == "behind" && numbers.size() == 2) behind_ = numbers[0], behind_since_ = numbers[1];
        if (words[0] == "jump" && numbers.size() == 3) jumps_.push_back({numbers[0], numbers[1], numbers[2]});
    }
    if (seen == 0 || std::abs(wall - seen) < rest_threshold) return 0;
    note(wall - seen, wall);
    return wall - seen;
}

std::string ClockWatch::memory(std::int64_t wall) const {
    std::string text = "seen " + std::to_string(wall) + "\n";
    if (behind_ > 0) text += "behind " + std::to_string(behind_) + " " + std::to_string(behind_since_) + "\n";
    const std::size_t first = jumps_.size() - std::min(jumps_.size(), jumps_kept);
    for (std::size_t i = first; i < jumps_.size(); ++i)
        text += "jump " + std::to_string(jumps_[i].low) + " " + std::to_string(jumps_[i].high) + " " +
                std::to_string(jumps_[i].amount) + "\n";
    return text;
}

std::int64_t ClockWatch::observe(std::int64_t wall, std::int64_t monotonic) {
    const std::int64_t jump = wall - monotonic - offset_;
    if (std::abs(jump) < jump_threshold) return 0;
    offset_ += jump;
    note(jump, wall);
    return jump;
}

void ClockWatch::note(std::int64_t jump, std::int64_t wall) {
    if (jump > 0) return note_forward(jump, wall);
    // Back again: what earlier jumps added and this one takes is no jump any more.
    std::int64_t back = -jump;
    for (std::size_t i = jumps_.size(); i-- > 0 && back > 0;) {
        if (jumps_[i].low > 0) continue;
        const std::int64_t taken = std::min(back, jumps_[i].amount);
        back -= taken;
        jumps_[i].amount -= taken;
    }
    std::erase_if(jumps_, [](const Jump& each) { return each.amount == 0; });
    if (back == 0) return;
    behind_since_ = behind_ == 0 ? wall : std::min(behind_since_, wall);
    behind_ += back;
}

void ClockWatch::note_forward(std::int64_t jump, std::int64_t wall) {
    // What makes good that the clock was behind ages only the mail of that time, and of a while around it:
    // qmail-queued may have run before this process, or after its last look.
    if (const std::int64_t made_good = std::min(jump, behind_); made_good > 0) {
        jumps_.push_back({std::max<std::int64_t>(behind_since_ - rest_threshold, 1),
                          wall - jump + rest_threshold, made_good});
        behind_ -= made_good;
        jump -= made_good;
    }
    if (jump > 0) jumps_.push_back({0, wall, jump});
}

std::int64_t ClockWatch::age(std::int64_t birth, std::int64_t wall) const {
    std::int64_t age = wall - birth;
    for (const Jump& jump : jumps_)
        if (birth >= jump.low && birth < jump.high) age -= jump.amount;
    return std::max<std::int64_t>(0, age);
}

}  // namespace relais::send
