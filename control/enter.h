// What a tool does before it opens the first file of an instance: root must not do in somebody else's
// directory what that user could not do himself.
#pragma once

#include <sys/types.h>

#include <string>

#include "control/home.h"

namespace relais::control {

// The group that goes with a user; known: the one of his directory.
using GroupOfUser = gid_t (*)(uid_t user, gid_t known);

// Where the instance is for the rest of this process: the links in its path are followed here, once. Run by
// root:
//   a directory that is somebody else's: this process becomes that user for good, with that group and no other;
//   root's own: refuse_foreign.
// Without such a directory, and for anybody but root, home as it is. Throws Error.
Home enter(const Home& home, GroupOfUser group = nullptr);

// For root: home with the links in its path followed. Throws a permanent Error, which says what to do, if
// that directory is not root's, if somebody else could put another one in its place, or if control or
// control/owners, which say what root does there, is not root's.
Home refuse_foreign(const Home& home);

// Why somebody else than root could put another file or directory in the place of path, which has no links in
// it; "" if nobody could.
std::string foreign_parent(const std::string& path);

}  // namespace relais::control
