// Which services of an instance are up, and what its queue has, in words on standard output. Each returns an
// exit code: 0 all is up, 1 something is not; else that of the tool that was asked.
#pragma once

#include "setup/layout.h"

namespace relais::setup {

// Both of the instance that QMAILHOME names, which is the plan's.
int status(const Plan& plan);
int list_queue(const Plan& plan);

}  // namespace relais::setup
