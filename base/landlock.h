// Landlock: which files, ports and processes this process and its children may still reach, whatever their
// user may.
#pragma once

#include <string>
#include <vector>

namespace relais {

// What remains allowed. A path that is not there is left out; a path may be a file's.
struct LandlockRules {
    std::vector<std::string> read_below{};
    std::vector<std::string> write_below{};  // and read: plain files alone
    bool execute = false;                    // run what may be read
    bool make_directories = false;           // without it directories cannot be renamed either
    bool move = false;        // rename and link between directories below write_below, from version 2 on
    bool must_move = false;   // the same; before version 2 nothing is restricted then
    bool signal_all = false;  // signals to those who are not restricted with this process
    bool tcp = false;         // connect to any port, bind to one that the kernel chooses
};

// The version of the kernel's Landlock; 0 if it has none.
int landlock_version();

// Puts the rules into force for good, as far as this kernel knows them: version 1 files, 2 moves, 3
// truncation, 4 TCP ports, 5 ioctl(2) on devices, 6 signals and abstract sockets, which then reach nobody but
// those who are restricted with this process. Without Landlock nothing happens. Throws Error.
void restrict_by_landlock(const LandlockRules& rules);

}  // namespace relais
