// Descriptors at fixed numbers, for a program that expects them there.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include "base/error.h"

namespace relais {

// Makes `to` a close-on-exec copy of `from`; nothing when they are the same. Throws Error.
inline void place_descriptor(int from, int to) {
    if (from != to && ::dup3(from, to, O_CLOEXEC) < 0) throw_errno("place", "a descriptor");
}

}  // namespace relais
