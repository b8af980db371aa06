// What the control files say about the checks, read once for a connection. What they list is in policy.h.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "control/block_lists.h"
#include "control/check_modes.h"
#include "control/home.h"
#include "control/rate_limits.h"
#include "control/setting.h"
#include "policy/incoming_checks.h"

namespace relais::policy {

struct Settings {
    std::string me;
    // What follows the code of a refused recipient.
    std::string relaydenied{control::default_of<"relaydenied">()};
    CheckSettings checks{};                         // mailauth, spfbehavior, dmarc, dmarcexempt
    control::BlockLists block_lists{};              // dnsbllist
    std::vector<control::RateLimit> rate_limits{};  // ratelimits
    std::chrono::seconds grey_delay = control::default_of<"greylistdelay">();
    control::CheckModes modes{};           // checks
    std::vector<std::string> own_names{};  // how this host calls itself: me, smtpgreeting, helohost

    // Throws Error when a file cannot be read or control/me is missing.
    static Settings read(const control::Home& home);
};

}  // namespace relais::policy
