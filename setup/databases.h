// The compiled databases of an instance and their sources.
#pragma once

#include <string>
#include <vector>

#include "setup/layout.h"

namespace relais::setup {

// Compiles tcp.smtp, tcp.smtp6, users/assign, users/passwd and control/morercpthosts with the programs that
// do that, where there is a source. Throws a permanent Error with the program's words; each old database then
// stands.
void compile_databases(const Plan& plan);

// The same, but one that is refused does not keep the others from being compiled. What was wrong, for people,
// a line for each. Throws a temporary Error.
std::vector<std::string> refused_databases(const Plan& plan);

// A line for each database that is missing or older than its source.
std::vector<std::string> old_databases(const Plan& plan);

}  // namespace relais::setup
