#include "base/time.h"

#include <fmt/core.h>
#include <time.h>

#include <array>
#include <chrono>

namespace relais {
namespace {
constexpr std::array<const char*, 12> months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

timespec wall_clock() {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return now;
}
}  // namespace

std::uint64_t now_microseconds() {
    const timespec now = wall_clock();
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 +
           static_cast<std::uint64_t>(now.tv_nsec) / 1000;
}

std::int64_t now_seconds() {
    return wall_clock().tv_sec;
}

// By the calendar alone: gmtime_r would read the host's time zone first, in each new process.
std::string date_gmt(std::int64_t unix_seconds) {
    using namespace std::chrono;
    const sys_seconds when{seconds(unix_seconds)};
    const sys_days day = floor<days>(when);
    const year_month_day date{day};
    const hh_mm_ss time{when - day};
    return fmt::format("{} {} {} {:02}:{:02}:{:02}", unsigned{date.day()}, months[unsigned{date.month()} - 1],
                       int{date.year()}, time.hours().count(), time.minutes().count(),
                       time.seconds().count());
}

std::string date_822(std::int64_t unix_seconds) {
    return date_gmt(unix_seconds) + " -0000";
}

}  // namespace relais
