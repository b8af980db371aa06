// A session in a user's mailbox, after the login.
#pragma once

#include <string>

#include "control/home.h"

namespace relais::pop3 {

// Confines this process, which is the mailbox's user by now, to that Maildir (relative to the working
// directory, or absolute), logs the login of $USER from $TCPREMOTEIP, and serves the client on descriptors 0
// and 1 to its end. A Maildir that cannot be read is told to the client. Throws Error when the client is
// gone.
void serve_mailbox(const control::Home& home, const std::string& directory);

}  // namespace relais::pop3
