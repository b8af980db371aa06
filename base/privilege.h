// Giving up privilege, visibly. Grep for drop_privilege and confine to read the security map of the suite.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

namespace relais {

// Becomes uid and gid for good, with no supplementary groups except those named, and verifies that there is no way
// back. Does nothing but verify when the process already is that user (an instance of one ordinary user). Also makes
// the process non-dumpable: nobody else of the same uid may trace it or read its memory. Throws Error.
void drop_privilege(uid_t uid, gid_t gid, const std::vector<gid_t>& groups = {});

// What a confined process may still do, beyond reading and writing descriptors it has, memory, time and signals to
// itself.
struct Confinement {
    bool open_files = false;        // open, stat, readdir: for programs that read control files or the queue
    bool change_files = false;      // create, write, rename, unlink, chmod
    bool network = false;           // sockets of AF_INET and AF_INET6, connect, bind, accept
    bool local_sockets = false;     // sockets of AF_UNIX
    bool create_processes = false;  // fork, wait, kill (of its children)
    bool fork_without_signals = false;  // fork and wait; no signal to anybody, for children that share a user
    bool run_programs = false;          // execve
    bool change_identity = false;       // setuid and the like
    bool threads = false;               // clone with CLONE_THREAD, futex
    // Landlock, where the kernel has it: only below these paths may files be opened; empty with open_files = anywhere.
    std::vector<std::string> read_below{};
    std::vector<std::string> write_below{};
};

// Confines this process and all its future children: no_new_privs, seccomp (unknown calls get ENOSYS, forbidden ones
// kill the process) and Landlock. Throws Error if the kernel refuses seccomp. Programs that run foreign code must not
// call it. RELAIS_NO_SECCOMP=1 in the environment of a sanitizer build turns it off.
void confine(const Confinement& allowed);

}  // namespace relais
