// For programs that have addresses in their arguments, which every user of the machine can read there.
#pragma once

#include <string_view>

#include "base/program.h"

namespace relais::control {

// Where control/proctitle is 1, ps(1) shows the program's name alone from now on. An instance that cannot be
// read, or that is not there, hides nothing.
void hide_arguments(std::string_view program);

// True if one of them may be a mail address.
bool name_an_address(const Arguments& arguments);

}  // namespace relais::control
