// What is wrong with the files that say where mail goes, as whom and how protected, for qmail-showctl:
// smtproutes, authsenders, tlsdestinations, domainips, outgoingip, ipversions. By the parsers that
// qmail-remote uses.
#pragma once

#include <vector>

#include "control/home.h"
#include "control/inspect.h"

namespace relais::remote {

// Each finding names its line by number; none shows a password. A file that cannot be read is left to
// control::inspect.
std::vector<control::Finding> check_route_files(const control::Home& home);

}  // namespace relais::remote
