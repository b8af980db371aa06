// The summary as a person reads it, from what was found. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "summary/numbers.h"
#include "trace/traffic.h"

namespace relais::summary {

// control/summary: "daily", "weekly", with an address behind it or without.
enum class Every { day, week };
struct Setting {
    Every every = Every::day;
    std::string address{};  // "": the postmaster
};
std::optional<Setting> parse_setting(std::string_view line);

// Whether a day, or a week (from Monday), has begun since then; in GMT.
bool is_due(Every every, std::uint64_t since, std::uint64_t now);

struct Certificate {
    std::string name;          // below control/
    std::uint64_t ends = 0;    // seconds since 1970
    std::string trouble = {};  // where it cannot be read
};
// One line "certificate SECONDS NAME" or "unread NAME"; nothing for another.
std::optional<Certificate> parse_certificate(std::string_view line);

struct Facts {
    std::string host{};
    std::uint64_t since = 0;  // 0: all that was ever counted
    std::uint64_t now = 0;
    std::uint64_t before = 0;  // seconds of the period before; 0: there was none
    bool counted = false;      // there are counters
    Numbers grown{}, earlier{}, levels{};
    std::vector<Certificate> certificates{};
    std::uint64_t free_octets = 0, all_octets = 0;  // where the queue is; 0: not known
};

// What qmail-traced remembers of it.
struct Remembered {
    bool kept = false;     // it is asked to remember
    bool cut = false;      // reading all of it would have taken too long
    trace::Traffic now{};  // of the period
    trace::Traffic past{};
    double past_days = 0;  // how long the past is
};

// Its first line is worth_a_look where something is.
inline constexpr std::string_view worth_a_look = "Worth a look:";
std::string words_of_summary(const Facts& facts, const Remembered& remembered);

// The whole message. Lines of the text that no message may have are made harmless.
struct Letter {
    std::string from{}, to{}, host{};
    std::uint64_t since = 0, now = 0;
};
std::string message_of(const Letter& letter, std::string_view text);

}  // namespace relais::summary
