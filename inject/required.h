// Environment variables that a program cannot do without.
#pragma once

#include <cstdlib>
#include <string>

#include "base/error.h"

namespace relais::inject {

// Throws a permanent Error "NAME not set".
inline std::string required_variable(const char* name) {
    const char* value = std::getenv(name);
    if (value == nullptr) throw_permanent(std::string(name) + " not set");
    return value;
}

}  // namespace relais::inject
