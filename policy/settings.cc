#include "policy/settings.h"

#include "control/control_file.h"

namespace relais::policy {

Settings Settings::read(const control::Home& home) {
    Settings settings;
    settings.me = control::read_me(home);
    if (auto text = control::read_line(home, "relaydenied"); text && !text->empty())
        settings.relaydenied = std::move(*text);
    settings.checks = CheckSettings::read(home);
    return settings;
}

}  // namespace relais::policy
