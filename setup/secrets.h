// Files with passwords in them: who may read them.
#pragma once

#include <vector>

#include "setup/inspect.h"

namespace relais::setup {

// Passwords for other servers, as qmail-remote wants them.
void inspect_passwords(const Plan& plan, std::vector<Finding>& findings);
// Those of accounts: root's alone, or the one user's. qmail-authd's group reads users/passwd.cdb, where
// control/owners names that role.
void inspect_accounts(const Plan& plan, std::vector<Finding>& findings);

// What --repair does first, where control/owners is older than roles of this version: it finds their users,
// gives them what they must read, and then adds their lines, each of which takes effect when a program
// starts. So programs of before and of now work after each step. What is done goes to report. Throws Error.
void add_roles(const control::Home& home, std::vector<std::string>& report);

}  // namespace relais::setup
