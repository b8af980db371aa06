#include "send/settings.h"

#include <algorithm>

#include "base/error.h"
#include "base/program.h"
#include "control/control_file.h"
#include "send/bounce_hints.h"

namespace relais::send {
namespace {
constexpr std::uint64_t largest_concurrency = 100'000;
constexpr std::uint64_t longest_lifetime = std::uint64_t{1} << 40;

// Hints are a courtesy: no mail waits for a table that cannot be read.
void read_hints(const control::Home& home, Settings& settings) {
    std::vector<std::string> mistakes;
    try {
        if (!HintPlaces::read(home).bounces) return;
        settings.hints = std::make_shared<mail::HintTable>(read_hint_table(home, mistakes));
    } catch (const Error& error) {
        mistakes.push_back(error.what());
    }
    for (const std::string& mistake : mistakes) log_line("warning: " + mistake);
}

}  // namespace

void read_numbers(const control::Home& home, Settings& settings) {
    const auto number = [&](const char* name, std::uint64_t fallback, std::uint64_t limit) {
        return std::min(control::read_number(home, name, fallback), limit);
    };
    settings.concurrency_local = static_cast<unsigned>(number("concurrencylocal", 10, largest_concurrency));
    settings.concurrency_remote = static_cast<unsigned>(number("concurrencyremote", 20, largest_concurrency));
    settings.limits = control::DestinationLimits::read(home);
    settings.queue_lifetime = static_cast<std::int64_t>(number("queuelifetime", 604800, longest_lifetime));
}

Settings read_settings(const control::Home& home) {
    Settings settings;
    settings.rules = RewriteRules::read(home);
    read_numbers(home, settings);
    read_hints(home, settings);
    return settings;
}

}  // namespace relais::send
