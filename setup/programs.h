// The programs of an instance: DIR/bin, a link to where they are installed, or copies of them.
#pragma once

#include <sys/types.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "setup/inspect.h"

namespace relais::setup {

// Keeps the directory of the running program, so that the programs there can be read and run also after this
// process has become somebody who may not go there. To be called before that. Throws Error.
void hold_programs();
// Programs that begin as a role, or hold what others must not see: nobody but their owner can read them, so
// that nobody of the same uid can trace them (cmake/Relais.cmake, ROLE). Mode 0711; the others have 0755.
std::span<const std::string_view> closed_programs();
mode_t mode_of_program(std::string_view name);
// The directory of the running program, where the others are.
std::string program_directory();
// The path by which this process can run one of them. Nothing that root runs comes from an instance.
std::string program(const std::string& name);

// True if DIR/bin is the directory of the running program, by a link or otherwise.
bool leads_to_programs(const Plan& plan);

// A link where everybody in the instance can follow it, copies otherwise. Throws Error.
void place_programs(const Plan& plan);

// These add what they find. They change nothing, and throw Error for what cannot be looked at.
void inspect_programs(const Plan& plan, std::vector<Finding>& findings);
// Programs that were copied into the instance: who may change and run them.
void inspect_copies(const Plan& plan, std::vector<Finding>& findings);

}  // namespace relais::setup
