#include "local/settings.h"

#include "control/setting.h"

namespace relais::local {

namespace {

std::optional<Seconds> limit(std::chrono::seconds seconds) {
    if (seconds.count() == 0) return std::nullopt;
    return seconds;
}

}  // namespace

std::optional<Seconds> program_limit(const control::Home& instance) {
    return limit(control::read<"timeoutlocal">(instance));
}

std::optional<Seconds> delivery_limit(const control::Home& instance) {
    return limit(control::read<"deadlinelocal">(instance));
}

}  // namespace relais::local
