#include "policy/settings.h"

#include "control/setting.h"

namespace relais::policy {

Settings Settings::read(const control::Home& home) {
    Settings settings;
    settings.me = control::read_me(home);
    settings.relaydenied = control::read<"relaydenied">(home);
    settings.checks = CheckSettings::read(home);
    return settings;
}

}  // namespace relais::policy
