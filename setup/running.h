// Starting and stopping an instance, and telling its qmail-send something: over svc, or over systemd where
// that keeps it. What they have to say goes to standard output, what goes wrong to standard error; each
// returns an exit code.
#pragma once

#include <string>
#include <vector>

#include "setup/layout.h"

namespace relais::setup {

int start(const Plan& plan);
int stop(const Plan& plan);
int restart(const Plan& plan);
// qmail-send reads its control files again.
int reload(const Plan& plan);
// Everything in the queue is tried now.
int flush(const Plan& plan);
// systemctl with the units of the instance: all of them, or qmail-send's alone.
int systemctl(const Plan& plan, const std::vector<std::string>& words, bool all_units = true);

}  // namespace relais::setup
