// Running the commands of a forwarding file, and sending the message on.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/program.h"

namespace relais::forwarding {

// Runs a command with the message on descriptor 0 from its beginning, which must be a file, and before it
// these lines if there are any. The exit code for who asked, 100 or 111, unless it succeeded: what went wrong
// the command has said itself. Throws Error.
std::optional<Exit> run_command(const Arguments& command, std::string_view lines = {});

// Sends the message on descriptor 0, from its beginning, with $DTLINE above it if that is set. Its qp. Throws
// Error, as the queue refused.
std::uint64_t send_on(const std::string& sender, const std::vector<std::string>& recipients);

}  // namespace relais::forwarding
