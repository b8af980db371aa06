// Delivery into a Maildir.
#pragma once

#include <string>
#include <string_view>

#include "local/message.h"

namespace relais::local {

// This host's name as it may stand in a file name of a Maildir. Kept after the first call.
const std::string& maildir_host();

// Delivers into the Maildir at directory (which ends in a slash): head, then the message, written to a name
// of its own in tmp/, synced, linked into new/, and new/ synced. When it returns the message is there also
// after a power cut. Throws a temporary Error in qmail's words; nothing is left in new/ then, and nothing in
// tmp/ if it can be helped.
void deliver_to_maildir(const std::string& directory, std::string_view head, const Message& message);

}  // namespace relais::local
