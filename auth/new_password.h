// A password that somebody chooses: from the terminal, asked twice and not shown, or the first line of
// standard input; never from the command line, which everybody on the machine can read.
#pragma once

#include "sasl/secret.h"

namespace relais::auth {

// Throws a permanent Error if the two differ, or it is too long.
Secret ask_password();

// Throws a permanent Error for one that is empty, too long, or has control characters in it.
void refuse_bad_password(std::string_view password);

}  // namespace relais::auth
