// control/sessionreuse: who may come after a client into the same process.
#pragma once

#include <string_view>

namespace relais::listen {

enum class Reuse {
    same,  // clients of its neighbourhood, under the same rule
    any,
    off,
};

// "any", "off", and "same" for everything else.
Reuse parse_reuse(std::string_view word);

}  // namespace relais::listen
