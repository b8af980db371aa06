#include "local/settings.h"

#include <algorithm>

#include "control/control_file.h"

namespace relais::local {

std::optional<Seconds> program_limit(const control::Home& instance) {
    constexpr std::uint64_t a_year = 366 * 24 * 60 * 60;
    const std::uint64_t seconds = std::min(control::read_number(instance, "timeoutlocal", 0), a_year);
    if (seconds == 0) return std::nullopt;
    return Seconds(seconds);
}

}  // namespace relais::local
