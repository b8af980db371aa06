// What maildir2mbox does.
#pragma once

#include <string>

namespace relais::inject {

// Moves the messages of the Maildir to the end of the mbox, by way of a temporary file beside it, which is
// overwritten. The mbox is locked with flock meanwhile. A message leaves the Maildir when the mbox that holds
// it has been synced and is in its place: what is interrupted before leaves both as they were, what is
// interrupted later delivers some of them twice. Throws Error.
void move_maildir_to_mbox(const std::string& maildir, const std::string& mbox, const std::string& temporary);

}  // namespace relais::inject
