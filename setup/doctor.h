// A look at a whole instance: files, settings, processes, ports, disk, names, mailboxes, who may relay, and
// what of the machine has to do with its mail. Says what to do. Changes nothing.
#pragma once

#include "setup/layout.h"
#include "setup/report.h"

namespace relais::setup {

// Looks at everything. Never throws Error: what cannot be looked at is a finding.
void examine(const Plan& plan, Report& report);

}  // namespace relais::setup
