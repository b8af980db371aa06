// The files that the programs here read and write.
#pragma once

#include <string>

#include "base/cdb.h"

namespace relais::forwarding {

// What standard input has to its end, at most 1 GiB. Throws Error "unable to read input: ...".
std::string read_input();

// The cdb on standard input, which may be a pipe. Throws a permanent Error "bad database format".
CdbReader cdb_of_input();

// Writes temporary, syncs it, and moves it to path; everybody may read it. Throws Error and leaves the old
// path.
void write_list(const std::string& path, const std::string& temporary, const std::string& list);

// A mailing list, or behind a colon a text file as :include: in an alias means it (aliases.h), at most 256
// MiB. Throws a temporary Error if it cannot be read, or for a mailing list if not everybody may read it:
// what is in it will be known to who looks at bounces.
std::string read_list(const std::string& name);

}  // namespace relais::forwarding
