// Running other programs to their end: useradd, svc, tcprules.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"

namespace relais::setup {

// Of what a program says.
inline constexpr std::size_t output_limit = std::size_t{1} << 20;

struct CommandResult {
    int exit_code = 0;   // 128 + the signal for a killed one, 127 for one that cannot be started
    std::string output;  // standard output and standard error together, no more than the limit
    bool ok() const { return exit_code == 0; }
};

// Runs words[0] (looked up in PATH) with the input on its fd 0, and waits. A program that is not done by the
// deadline is killed. Throws Error when the system cannot start anything.
CommandResult capture(const std::vector<std::string>& words, Deadline deadline, std::string_view input = {},
                      std::size_t limit = output_limit);

// The same, with our own standard output and error.
int run(const std::vector<std::string>& words, Deadline deadline);

}  // namespace relais::setup
