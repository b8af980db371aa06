// What the programs of .qmail files may use: control/limitslocal, lines "NAME NUMBER". Without the file, what
// qmail-start has.
//
//   nproc    processes of the user          as, data  octets of memory       cpu   seconds of processor time
//   fsize    octets of a file it writes     nofile    open files             core  octets of a core file
//
// Limits are for each program, but nproc counts all processes of a uid: it is never set for one that several
// users share.
#pragma once

#include <sys/resource.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/home.h"

namespace relais::local {

struct ResourceLimit {
    __rlimit_resource_t resource;
    rlim_t most;
};

// Nothing for a line that is none.
std::optional<ResourceLimit> parse_resource_limit(std::string_view line);

class ProgramResources {
  public:
    ProgramResources() = default;
    // own_uid: no other user has it. Throws a temporary Error that names a wrong line.
    static ProgramResources read(const control::Home& instance, bool own_uid);
    // In the process that becomes the program, after its fork. False if the system refuses.
    bool apply() const;

  private:
    std::vector<ResourceLimit> limits_;
};

}  // namespace relais::local
