// Making an instance, or a piece of one.
#pragma once

#include "setup/layout.h"

namespace relais::setup {

// Makes the instance. As root one of a single user is made as that user, as whom this process goes on. Throws
// a permanent Error if there is something already, if the path is too long or has odd characters, if a parent
// is closed to the instance's users, or, for an instance of several users, if a parent is not root's; a
// started instance that fails is removed again.
void create(Plan& plan);

// Makes a piece that is missing, with owner and mode. Throws Error.
void make(const Plan& plan, const Piece& piece);

}  // namespace relais::setup
