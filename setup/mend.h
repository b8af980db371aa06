// Owners and modes as they must be, set where nobody else can have put something in between.
#pragma once

#include <string>

#include "control/owners.h"

namespace relais::setup {

// As root sets the owner too. A link is not followed, and a file with a second name is left alone: throws Error.
void set_owner_and_mode(const std::string& path, bool directory, control::Owner owner, mode_t mode);
// The same for what is held already, by O_PATH or otherwise.
void set_owner_and_mode(int held, const std::string& path, control::Owner owner, mode_t mode);

// "qmailq:994"
std::string owner_text(control::Owner owner);

}  // namespace relais::setup
