#include "policy/settings.h"

#include "control/setting.h"

namespace relais::policy {

Settings Settings::read(const control::Home& home) {
    Settings settings;
    settings.me = control::read_me(home);
    settings.relaydenied = control::read<"relaydenied">(home);
    settings.checks = CheckSettings::read(home);
    settings.modes = control::CheckModes(control::read_if_there<"checks">(home));
    settings.block_lists = control::BlockLists(control::read<"dnsbllist">(home));
    settings.rate_limits = control::parse_rate_limits(control::read<"ratelimits">(home));
    settings.grey_delay = control::read<"greylistdelay">(home);
    const std::string greeting = control::read<"smtpgreeting">(home);
    settings.own_names = {settings.me, greeting.substr(0, greeting.find(' ')),
                          control::read<"helohost">(home)};
    return settings;
}

}  // namespace relais::policy
