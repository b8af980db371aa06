// qmailctl top: what flows now, in a terminal.
#pragma once

#include "control/home.h"

namespace relais::setup {

// Until q is typed; where there is no terminal one picture, as text. The exit code. Throws Error.
int top(const control::Home& home);

}  // namespace relais::setup
