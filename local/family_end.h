// Ends a delivery together with the programs that it has started.
#pragma once

#include <sys/types.h>

namespace relais::local {

// Kills a child of this process and what descends from it. What has left the family, as daemons do, is not
// found.
void kill_family(pid_t child);

}  // namespace relais::local
