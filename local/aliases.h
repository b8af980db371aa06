// The aliases of control/aliases: a table (forwarding/aliases.h) that newaliases makes, asked for addresses
// that are nobody's: the alias user's, without a .qmail file of their own.
#pragma once

#include <string>

#include "control/home.h"
#include "local/user.h"

namespace relais::local {

// What a .qmail file would say for an alias: that fastforward goes by the table. "" where control/aliases is
// not there, for any other user, and for a name that the table does not have. Throws a temporary Error if the
// table is missing or cannot be read: nobody can tell then whose the mail is.
std::string alias_instructions(const control::Home& home, const User& user);

}  // namespace relais::local
