// What the control files say about the checks, read once for a connection. What they list is in policy.h.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "control/home.h"
#include "policy/incoming_checks.h"

namespace relais::policy {

struct Settings {
    std::string me;
    // relaydenied: what follows the code of a refused recipient
    std::string relaydenied = "sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)";
    CheckSettings checks{};  // mailauth, spfbehavior, dmarc, dmarcexempt

    // Throws Error when a file cannot be read or control/me is missing.
    static Settings read(const control::Home& home);
    // The files that read() looks at.
    static constexpr std::array<std::string_view, 6> files = {"me",          "relaydenied", "mailauth",
                                                              "spfbehavior", "dmarc",       "dmarcexempt"};
};

}  // namespace relais::policy
