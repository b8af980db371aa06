// Whose an instance is: the roles of control/owners and where their numbers come from.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "control/owners.h"

namespace relais::setup {

struct Identity {
    bool single = false;  // a "user" instance
    bool named = false;   // the roles are users of this machine with the roles' names
    std::map<control::Role, control::Owner> owners;
    std::vector<control::Role> missing{};  // control/owners is older than these; in owners they are nobody

    control::Owner of(control::Role role) const { return owners.at(role); }
    bool has(control::Role role) const;  // a line in control/owners
    // Who owns what is not a role's: root, or the one user.
    control::Owner administrator() const { return single ? of(control::Role::qmailq) : control::Owner{0, 0}; }
};

// Everything belongs to this user. Throws a permanent Error for uid 0.
Identity identity_of_user(uid_t uid, gid_t gid);
// Roles by number, without entries in /etc/passwd, for containers and tests: the first ten base to base + 9,
// the groups qmail and nofiles base + 10 and base + 11, later roles, some with a group of the same number,
// from base + 12 on.
Identity identity_of_numbers(uid_t base);
// The users qmaild ... and groups qmail and nofiles of this machine; missing ones are made with useradd
// --system, what is done goes to report. home is the instance. Throws Error.
Identity identity_of_system(const std::string& home, std::vector<std::string>& report);
// What control/owners says.
Identity identity_of_instance(const control::Home& home);
// The group of a user of this machine; known for one whom it does not know (control::GroupOfUser).
gid_t group_of_user(uid_t user, gid_t known);
// Finds owners for the roles that control/owners lacks: the one user, or a user of this machine with the
// role's name where all the others are such (made with useradd), or numbers that nobody has. What is done
// goes to report. Throws Error.
Identity completed(const Identity& identity, const control::Home& home, std::vector<std::string>& report);

// The text of control/owners.
std::string owners_text(const Identity& identity);

// True if that user may enter the directory (search permission), by owner, group and mode. Throws Error.
bool may_enter(const std::string& directory, control::Owner who);
// The first directory from / down to path that somebody of the instance may not enter; "" if there is none.
std::string first_closed_directory(const std::string& path, const Identity& identity);

}  // namespace relais::setup
