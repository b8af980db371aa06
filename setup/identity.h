// Whose an instance is: the roles of control/owners and where their numbers come from.
#pragma once

#include <array>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "control/owners.h"

namespace relais::setup {

inline constexpr std::array<control::Role, 10> all_roles = {
    control::Role::alias,  control::Role::qmaild, control::Role::qmailk, control::Role::qmaill,
    control::Role::qmailn, control::Role::qmailo, control::Role::qmailp, control::Role::qmailq,
    control::Role::qmailr, control::Role::qmails};

struct Identity {
    bool single = false;  // a "user" instance
    bool named = false;   // the roles are users of this machine with the roles' names
    std::map<control::Role, control::Owner> owners;
    std::vector<control::Role> missing{};  // control/owners is older than these; in owners they are nobody

    control::Owner of(control::Role role) const { return owners.at(role); }
    // Who owns what is not a role's: root, or the one user.
    control::Owner administrator() const { return single ? of(control::Role::qmailq) : control::Owner{0, 0}; }
};

// Everything belongs to this user. Throws a permanent Error for uid 0.
Identity identity_of_user(uid_t uid, gid_t gid);
// Roles by number, base to base + 11, without entries in /etc/passwd: containers and tests.
Identity identity_of_numbers(uid_t base);
// The users qmaild ... and groups qmail and nofiles of this machine; missing ones are made with useradd
// --system, what is done goes to report. home is the instance. Throws Error.
Identity identity_of_system(const std::string& home, std::vector<std::string>& report);
// What control/owners says.
Identity identity_of_instance(const control::Home& home);
// The group of a user of this machine; known for one whom it does not know (control::GroupOfUser).
gid_t group_of_user(uid_t user, gid_t known);
// Adds the roles that control/owners lacks: the one user, or a user of this machine with the role's name
// where all the others are such, or a number that no role has. What is done goes to report. Throws Error.
void complete_owners(const control::Home& home, std::vector<std::string>& report);

// The text of control/owners.
std::string owners_text(const Identity& identity);

// True if that user may enter the directory (search permission), by owner, group and mode. Throws Error.
bool may_enter(const std::string& directory, control::Owner who);
// The first directory from / down to path that somebody of the instance may not enter; "" if there is none.
std::string first_closed_directory(const std::string& path, const Identity& identity);

}  // namespace relais::setup
