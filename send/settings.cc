#include "send/settings.h"

#include <algorithm>

#include "control/control_file.h"

namespace relais::send {
namespace {
constexpr std::uint64_t largest_concurrency = 100'000;
constexpr std::uint64_t longest_lifetime = std::uint64_t{1} << 40;
}  // namespace

void read_numbers(const control::Home& home, Settings& settings) {
    const auto number = [&](const char* name, std::uint64_t fallback, std::uint64_t limit) {
        return std::min(control::read_number(home, name, fallback), limit);
    };
    settings.concurrency_local = static_cast<unsigned>(number("concurrencylocal", 10, largest_concurrency));
    settings.concurrency_remote = static_cast<unsigned>(number("concurrencyremote", 20, largest_concurrency));
    settings.queue_lifetime = static_cast<std::int64_t>(number("queuelifetime", 604800, longest_lifetime));
}

Settings read_settings(const control::Home& home) {
    Settings settings;
    settings.rules = RewriteRules::read(home);
    read_numbers(home, settings);
    return settings;
}

}  // namespace relais::send
