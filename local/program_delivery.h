// Delivery to a program named by a .qmail file.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/deadline.h"
#include "local/message.h"
#include "local/output.h"
#include "local/program_end.h"
#include "local/program_resources.h"

namespace relais::local {

// Runs /bin/sh -c command in the current directory and environment. The program's fd 0 is a copy of the
// message alone, at its beginning; a captured output gets what it writes to fd 1 and fd 2 until it exits (not
// what its children write later). With a time limit the program, and whatever it started in its process
// group, is ended by signals when it has run that long. Throws a temporary Error if it cannot be run, was
// killed, or exceeded the limit.
ProgramEnd run_program_delivery(const std::string& command, const Message& message, Output& output,
                                std::optional<Seconds> limit, const ProgramResources& resources);

}  // namespace relais::local
