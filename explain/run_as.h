// Looking at files with another user's eyes: what a delivery would see is what that user may see.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>

namespace relais::explain {

// Runs work in a child process and returns what it returns (at most 32 MiB). Where this process is root the
// child first becomes uid and gid for good, without other groups. An Error that leaves work is thrown here,
// with its reaction. The child ends when this process does.
std::string run_as(uid_t uid, gid_t gid, const std::function<std::string()>& work);

}  // namespace relais::explain
