// Owners and modes as they must be, set where nobody else can have put something in between.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "control/owners.h"
#include "setup/tree.h"

namespace relais::setup {

enum class Type { directory, file, socket };

bool is_type(const struct stat& info, Type type);

// The type, owner and mode that something below the instance must have.
struct Wanted {
    Type type = Type::file;
    control::Owner owner{};
    mode_t mode = 0;
};

// As root sets the owner too. Throws Error and changes nothing for what has another type or, a file, a second
// name; and for what belongs to somebody who is neither the administrator nor a role.
void set_owner_and_mode(const Tree& tree, const std::string& path, const Wanted& wanted);
// The same for what is held already: something that the caller has just made.
void set_owner_and_mode(int held, const std::string& path, control::Owner owner, mode_t mode);

// What calls set_owner_and_mode later; nothing where it would refuse what is there now.
std::function<void()> remedy(const std::shared_ptr<const Tree>& tree, const std::string& path,
                             const struct stat& info, const Wanted& wanted);
// Why there is no remedy, to be put behind what is wrong; "" if there is one.
std::string refusal(const Tree& tree, const struct stat& info, const Wanted& wanted);

// "qmailq:994"
std::string owner_text(control::Owner owner);

}  // namespace relais::setup
