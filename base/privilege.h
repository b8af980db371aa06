// Giving up privilege, visibly. Grep for drop_privilege and confine to read the security map of the suite.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

namespace relais {

// Becomes uid and gid for good, with no supplementary groups except those named, and verifies that there is
// no way back. Does nothing but verify when the process already is that user (an instance of one ordinary
// user). Also makes the process non-dumpable: nobody else of the same uid may trace it or read its memory.
// Throws Error.
void drop_privilege(uid_t uid, gid_t gid, const std::vector<gid_t>& groups = {});

// The same for root, who keeps one right: to read every file and look into every directory, for as long as
// this process lives. For tools that bring what other users own. Throws Error.
void drop_privilege_but_reading(uid_t uid, gid_t gid);

// Empties the capability bounding set: not even a setuid program that a later bug might run gives any back.
// For root, before drop_privilege; anybody else has none to lose. Not for those who become a person: that
// one's setuid programs must work. Throws Error.
void empty_bounding_set();

// What a confined process may still do, beyond reading and writing descriptors it has, memory that is not
// executed, time and signals to itself. control/cages.h has a program's.
struct Confinement {
    bool open_files = false;    // open, stat, readdir: for programs that read control files or the queue
    bool change_files = false;  // create, write, rename, unlink plain files
    bool make_directories = false;
    bool move_files = false;       // from one directory to another, if Landlock can allow that
    bool must_move_files = false;  // the same; if it cannot, there is no Landlock
    bool network = false;          // sockets of AF_INET and AF_INET6, connect, bind
    bool local_sockets = false;    // sockets of AF_UNIX, connect
    bool socket_pairs = false;     // socketpair of AF_UNIX
    bool accept = false;           // accept, on listening sockets that it has
    bool fork = false;             // fork and wait
    bool signal_children = false;  // kill: with Landlock only who is confined with it
    bool signal_all = false;       // kill
    bool run_programs = false;     // execve
    bool change_identity = false;  // setuid and the like
    bool threads = false;          // clone with CLONE_THREAD, futex
    bool load_code = false;        // memory that is executed: shared objects
    // Landlock, where the kernel has it: only below these paths may files be opened.
    std::vector<std::string> read_below{};
    std::vector<std::string> write_below{};
};

// Confines this process and all its future children: no_new_privs, seccomp (unknown calls and forbidden
// arguments get ENOSYS, forbidden calls kill the process) and Landlock. Throws Error if the kernel refuses
// seccomp. Programs that run foreign code must not call it. RELAIS_NO_SECCOMP=1 in the environment of a
// sanitizer build turns it off.
void confine(const Confinement& allowed);

}  // namespace relais
