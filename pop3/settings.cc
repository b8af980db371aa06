#include "pop3/settings.h"

#include <algorithm>

#include "base/error.h"
#include "control/control_file.h"

namespace relais::pop3 {

std::chrono::seconds session_timeout(const control::Home& home) {
    constexpr std::uint64_t fallback = 1200, day = 86400;
    try {
        return std::chrono::seconds(
            std::clamp<std::uint64_t>(control::read_number(home, "timeoutpop3d", fallback), 1, day));
    } catch (const Error&) {
        return std::chrono::seconds(fallback);
    }
}

}  // namespace relais::pop3
