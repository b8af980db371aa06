// The password program behind qmail-popup: checkpassword, and what that runs.
#pragma once

#include <string>

#include "base/program.h"

namespace relais::pop3 {

// Runs the program with the client on 0 and 1 and what checkpassword reads on descriptor 3, waits for its end
// and returns its wait status. SIGTERM is passed on to it meanwhile. credentials: user and secret, each with
// a NUL behind it; they are wiped. Throws Error where it cannot be started.
int run_password_program(const Arguments& words, std::string& credentials, const std::string& challenge);

// What the client is told of a login that was not taken, by that wait status.
std::string answer_to(int status);

}  // namespace relais::pop3
