// What the programs have in common that an administrator types, rather than a server or a user.
#pragma once

#include <functional>
#include <string_view>

#include "base/program.h"

namespace relais::control {

// What somebody who is not root is told when access was refused to him.
inline constexpr std::string_view run_as_root = "run this as root, or as the user of a user instance";

// True if the system refused access, and the reason may be who asks.
bool is_refusal(int error_number);

// Where a tool learns which instance it is for.
enum class Instance {
    in_environment,  // QMAILHOME: it is entered (control/enter.h) before the work
    in_arguments,    // the work enters it
};

// run_program for such a tool: an Error by which access was refused to somebody who is not root ends with
// run_as_root, and one about an instance that does not exist says so.
int run_tool(std::string_view name, int argc, char** argv, const std::function<int(const Arguments&)>& work,
             Instance instance = Instance::in_environment);

}  // namespace relais::control
