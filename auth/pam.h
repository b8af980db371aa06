// The system's own accounts, through PAM.
#pragma once

#include <string>

#include "auth/protocol.h"

namespace relais::auth {

struct PamSettings {
    std::string service;    // the name of the file in /etc/pam.d; empty: PAM is not asked
    std::string directory;  // in place of /etc/pam.d; empty: the usual places
};

// Asks PAM whether this is the user's password and whether the account may be used now, and the system's user
// data base for the rest of the answer. Modules may wait, load libraries and call programs: only for a
// process forked for it. Users with uid 0 are refused. Never throws.
Answer ask_pam(const PamSettings& settings, const std::string& user, std::string_view password,
               std::string_view address);

}  // namespace relais::auth
