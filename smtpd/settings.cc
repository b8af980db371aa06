#include "smtpd/settings.h"

#include <algorithm>

namespace relais::smtpd {

Settings Settings::read(const control::Home& home) {
    Settings settings;
    settings.me = control::read_me(home);
    settings.greeting = control::read_line(home, "smtpgreeting").value_or(settings.me);
    // A timeout of nothing would turn everybody away, and one beyond a day is none.
    const std::uint64_t timeout = control::read_number(home, "timeoutsmtpd", 1200);
    settings.timeout = std::chrono::seconds(std::clamp<std::uint64_t>(timeout, 1, 86400));
    settings.databytes = control::read_number(home, "databytes", 0);
    settings.recipient_limit = control::read_number(home, "maxrcpt", settings.recipient_limit);
    settings.refuse_nul = control::read_number(home, "refusenul", 0) != 0;
    if (auto text = control::read_line(home, "relaydenied"); text && !text->empty())
        settings.relaydenied = std::move(*text);
    return settings;
}

WatchedSettings::WatchedSettings(control::Home home) : home_(std::move(home)) {
    for (const char* name :
         {"me", "smtpgreeting", "timeoutsmtpd", "databytes", "maxrcpt", "refusenul", "relaydenied"})
        files_.emplace_back(home_.control_file(name));
}

const Settings& WatchedSettings::get() {
    bool changed = !valid_;
    for (control::ChangeWatch& file : files_)
        if (file.changed()) changed = true;
    if (!changed) return settings_;
    valid_ = false;
    settings_ = Settings::read(home_);
    valid_ = true;
    return settings_;
}

}  // namespace relais::smtpd
