#include "send/settings.h"

#include <algorithm>

#include "base/error.h"
#include "base/program.h"
#include "control/setting.h"
#include "send/bounce.h"
#include "send/bounce_hints.h"

namespace relais::send {
namespace {

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
    settings.concurrency_local = static_cast<unsigned>(control::read<"concurrencylocal">(home));
    settings.concurrency_remote = static_cast<unsigned>(control::read<"concurrencyremote">(home));
    settings.limits = control::DestinationLimits::read(home);
    settings.facts = read_bounce_format(home) != BounceFormat::qsbmf;
    settings.delay_warning = control::read<"delaywarning">(home).count();
    constexpr std::int64_t a_day = 86400;
    settings.hold_lifetime = static_cast<std::int64_t>(control::read<"holddays">(home)) * a_day;
    settings.queue_lifetime = control::read<"queuelifetime">(home).count();
}

Settings read_settings(const control::Home& home) {
    Settings settings;
    settings.rules = RewriteRules::read(home);
    read_numbers(home, settings);
    read_hints(home, settings);
    return settings;
}

}  // namespace relais::send
