#include "base/time.h"

#include <fmt/core.h>
#include <time.h>

#include <array>

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
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(now.tv_nsec) / 1000;
}

std::int64_t now_seconds() { return wall_clock().tv_sec; }

std::string date_gmt(std::int64_t unix_seconds) {
    const time_t seconds = unix_seconds;
    tm parts{};
    ::gmtime_r(&seconds, &parts);
    return fmt::format("{} {} {} {:02}:{:02}:{:02}", parts.tm_mday, months[static_cast<std::size_t>(parts.tm_mon)],
                       parts.tm_year + 1900, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::string date_822(std::int64_t unix_seconds) { return date_gmt(unix_seconds) + " -0000"; }

}  // namespace relais
