// What is brought from each mail system that qmail-import knows: first its settings, then, as qmailq and
// confined, the messages of its queue. The locks of both sides are held meanwhile.
#pragma once

#include <string>

#include "setup/layout.h"

namespace relais::setup {

struct OldInstallation {
    std::string place{};  // qmail: its directory; Postfix, Exim: that of its settings
    std::string queue{};  // where it is not where the settings say
    bool dry = false;     // says what would be brought, and changes nothing
};

// Each takes the caller's privilege away for good, and gives the exit code: 1 if somebody must look at
// something. Throws Error.
int import_qmail(const Plan& plan, const OldInstallation& from);
int import_postfix(const Plan& plan, const OldInstallation& from);
int import_exim(const Plan& plan, const OldInstallation& from);

}  // namespace relais::setup
