#include "local/settings.h"

#include <algorithm>

#include "control/control_file.h"

namespace relais::local {

namespace {

constexpr std::uint64_t a_day = 24 * 60 * 60;
constexpr std::uint64_t a_year = 366 * a_day;

std::optional<Seconds> limit(const control::Home& instance, std::string_view name, std::uint64_t fallback) {
    const std::uint64_t seconds = std::min(control::read_number(instance, name, fallback), a_year);
    if (seconds == 0) return std::nullopt;
    return Seconds(seconds);
}

}  // namespace

std::optional<Seconds> program_limit(const control::Home& instance) {
    return limit(instance, "timeoutlocal", 0);
}

std::optional<Seconds> delivery_limit(const control::Home& instance) {
    return limit(instance, "deadlinelocal", a_day);
}

}  // namespace relais::local
