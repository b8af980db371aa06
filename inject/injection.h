// qmail-inject as a function: sendmail calls it without starting another program.
#pragma once

#include "inject/compose.h"

namespace relais::inject {

// Reads a message from descriptor 0 and submits it, or prints it to descriptor 1 when queue is false. Throws
// Error.
void inject_message(const Request& request, bool queue);

}  // namespace relais::inject
