#include "base/privilege.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "base/error.h"
#include "base/landlock.h"
#include "base/seccomp_filter.h"

namespace relais {
namespace {

using Calls = std::vector<const char*>;

// What every confined process needs: descriptors it has, memory, time, its own signals, leaving.
const Calls always = {"read",
                      "readv",
                      "pread64",
                      "preadv",
                      "write",
                      "writev",
                      "pwrite64",
                      "close",
                      "close_range",
                      "lseek",
                      "fstat",
                      "fsync",
                      "fdatasync",
                      "ftruncate",
                      "dup",
                      "dup2",
                      "dup3",
                      "poll",
                      "ppoll",
                      "select",
                      "pselect6",
                      "epoll_create1",
                      "epoll_ctl",
                      "epoll_wait",
                      "epoll_pwait",
                      "eventfd2",
                      "pipe2",
                      "signalfd4",
                      "timerfd_create",
                      "timerfd_settime",
                      "munmap",
                      "mremap",
                      "madvise",
                      "mlock",
                      "munlock",
                      "brk",
                      "clock_gettime",
                      "clock_nanosleep",
                      "nanosleep",
                      "gettimeofday",
                      "time",
                      "getpid",
                      "getppid",
                      "gettid",
                      "getuid",
                      "geteuid",
                      "getgid",
                      "getegid",
                      "getgroups",
                      "getresuid",
                      "getresgid",
                      "getrandom",
                      "getrlimit",
                      "rt_sigaction",
                      "rt_sigprocmask",
                      "rt_sigreturn",
                      "rt_sigpending",
                      "rt_sigtimedwait",
                      "sigaltstack",
                      "alarm",
                      "setitimer",
                      "futex",
                      "set_robust_list",
                      "rseq",
                      "sched_yield",
                      "sched_getaffinity",
                      "restart_syscall",
                      "exit",
                      "exit_group",
                      "uname",
                      "umask",
                      "recvmsg",
                      "recvmmsg",
                      "recvfrom",
                      "sendmsg",
                      "sendmmsg",
                      "sendto",
                      "shutdown",
                      "getsockopt",
                      "setsockopt",
                      "getsockname",
                      "getpeername",
                      "copy_file_range",
                      "sendfile",
                      "splice",
                      "sysinfo",
                      "set_tid_address",
                      "arch_prctl",
                      "flock"};
const Calls open_files = {"open",       "openat",   "openat2",    "stat",          "lstat",
                          "newfstatat", "statx",    "access",     "faccessat",     "faccessat2",
                          "getdents64", "readlink", "readlinkat", "inotify_init1", "inotify_add_watch",
                          "chdir",      "fchdir",   "getcwd",     "statfs",        "fstatfs"};
const Calls change_files = {"unlink",   "unlinkat",  "rename",       "renameat",  "renameat2",       "link",
                            "linkat",   "fchmod",    "utimensat",    "fallocate", "sync_file_range", "syncfs",
                            "io_setup", "io_submit", "io_getevents", "io_destroy"};
const Calls make_directories = {"mkdir", "mkdirat"};
// A link made by one role leads others astray, and who owns what is the administrator's.
const Calls never_change = {"symlink", "symlinkat", "rmdir",    "chmod",    "fchmodat", "chown", "lchown",
                            "fchown",  "creat",     "fchownat", "truncate", "setxattr", "mknod", "mknodat"};
const Calls sockets = {"socket", "connect"};
const Calls own_ports = {"bind"};
const Calls pairs = {"socketpair"};
const Calls connections = {"accept", "accept4", "listen"};
const Calls own_signals = {"tgkill"};  // raise and abort; but any thread of the same user can be named
const Calls processes = {"fork", "vfork", "wait4", "waitid", "setpgid", "setsid", "getpgrp"};
// A child, started later, may confine itself further.
const Calls confinement = {"landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"};
const Calls signals = {"kill"};
const Calls programs = {"execve", "execveat"};
const Calls identity = {"setuid",    "setgid",    "setreuid", "setregid", "setresuid",
                        "setresgid", "setgroups", "setfsuid", "setfsgid", "capset"};
const Calls never = {
    "ptrace",       "process_vm_readv", "process_vm_writev", "mount",        "umount2",       "pivot_root",
    "chroot",       "reboot",           "init_module",       "finit_module", "delete_module", "kexec_load",
    "bpf",          "perf_event_open",  "unshare",           "setns",        "keyctl",        "add_key",
    "swapon",       "swapoff",          "userfaultfd",       "personality",  "acct",          "settimeofday",
    "clock_settime"};

// Nothing that sends signals (F_SETOWN, F_SETSIG), asks others to give way (F_SETLEASE) or watches
// directories.
const std::vector<std::uint32_t> fcntl_commands = {
    F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD,     F_SETFD,     F_GETFL,      F_SETFL,      F_GETLK,
    F_SETLK, F_SETLKW,        F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW, F_SETPIPE_SZ, F_GETPIPE_SZ};
const std::vector<std::uint32_t> prctl_options = {PR_SET_NAME,         PR_GET_NAME,    PR_SET_DUMPABLE,
                                                  PR_GET_DUMPABLE,     PR_SET_SECCOMP, PR_SET_PDEATHSIG,
                                                  PR_SET_NO_NEW_PRIVS, PR_GET_SECCOMP};
// TCGETS: whether it is a terminal, which stdio asks.
const std::vector<std::uint32_t> ioctl_requests = {FIONREAD, FIONBIO, TCGETS};
constexpr std::uint32_t namespaces =
    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

// Calls that are harmless with some arguments only.
void allow_by_argument(SeccompFilter& filter, const Confinement& allowed) {
    filter.allow_with_argument("fcntl", 1, fcntl_commands);
    filter.allow_with_argument("ioctl", 1, ioctl_requests);
    filter.allow_with_argument("prlimit64", 0, {0});  // of this process
    auto options = prctl_options;
    if (allowed.change_identity) options.push_back(PR_CAPBSET_DROP);
    filter.allow_with_argument("prctl", 0, options);
    // clone3 has its flags in memory, which a filter cannot read: the C library goes on with clone when there
    // is none.
    if (allowed.fork || allowed.threads) filter.allow_without_bits("clone", 0, namespaces);
    for (const char* name : {"mmap", "mprotect"})
        if (allowed.load_code)
            filter.add(name, SeccompFilter::Action::allow);
        else
            filter.allow_without_bits(name, 2, PROT_EXEC);
    std::vector<std::uint32_t> families;
    if (allowed.local_sockets) families.push_back(AF_UNIX);
    // AF_NETLINK: asked by the C library which families there are.
    if (allowed.network) families.insert(families.end(), {AF_INET, AF_INET6, AF_NETLINK});
    if (!families.empty()) filter.allow_with_argument("socket", 0, families);
    if (allowed.socket_pairs) filter.allow_with_argument("socketpair", 0, {AF_UNIX});
}

void load_seccomp(const Confinement& allowed) {
    SeccompFilter filter;
    const auto group = [&filter](bool allow, const Calls& calls) {
        for (const char* name : calls)
            filter.add(name, allow ? SeccompFilter::Action::allow : SeccompFilter::Action::kill);
    };
    const bool kills = allowed.signal_children || allowed.signal_all;
    allow_by_argument(filter, allowed);
    group(true, always);
    group(allowed.open_files, open_files);
    group(allowed.change_files, change_files);
    group(allowed.make_directories, make_directories);
    group(false, never_change);
    group(allowed.fork || allowed.threads, processes);
    if (allowed.fork) group(true, confinement);
    group(false, {"clone"});
    // Those who are forked without exec share their user: none may end another.
    if (!allowed.fork || kills) group(true, own_signals);
    group(kills, signals);
    group(allowed.run_programs, programs);
    group(allowed.change_identity, identity);
    group(false, never);
    group(allowed.network || allowed.local_sockets, sockets);
    group(allowed.network, own_ports);
    group(allowed.socket_pairs, pairs);
    group(allowed.accept, connections);
    filter.load();
}

}  // namespace

void drop_privilege(uid_t uid, gid_t gid, const std::vector<gid_t>& groups) {
    if (::geteuid() == 0) {
        if (::setgroups(groups.size(), groups.data()) != 0) throw_errno("set", "the supplementary groups");
        if (::setresgid(gid, gid, gid) != 0) throw_errno("change to group", std::to_string(gid));
        if (::setresuid(uid, uid, uid) != 0) throw_errno("change to user", std::to_string(uid));
    }
    uid_t real = 0, effective = 0, saved = 0;
    if (::getresuid(&real, &effective, &saved) != 0 || real != uid || effective != uid || saved != uid)
        throw Error(Reaction::permanent, "unable to run as user " + std::to_string(uid) +
                                             ": this process is user " + std::to_string(effective) +
                                             " (start it as root or as that user)");
    gid_t real_group = 0, effective_group = 0, saved_group = 0;
    if (::getresgid(&real_group, &effective_group, &saved_group) != 0 || real_group != gid ||
        effective_group != gid || saved_group != gid)
        throw Error(Reaction::permanent, "unable to run as group " + std::to_string(gid) +
                                             ": this process has group " + std::to_string(effective_group));
    if (uid != 0 && ::setuid(0) == 0)
        throw Error(Reaction::bug, "privilege could be regained after dropping it");
    ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

void drop_privilege_but_reading(uid_t uid, gid_t gid) {
    if (::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) throw_errno("keep", "the right to read");
    drop_privilege(uid, gid);
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {};
    sets[CAP_TO_INDEX(CAP_DAC_READ_SEARCH)].permitted = CAP_TO_MASK(CAP_DAC_READ_SEARCH);
    sets[CAP_TO_INDEX(CAP_DAC_READ_SEARCH)].effective = CAP_TO_MASK(CAP_DAC_READ_SEARCH);
    if (::syscall(SYS_capset, &header, sets) != 0) throw_errno("keep", "the right to read");
}

void empty_bounding_set() {
    if (::geteuid() != 0) return;
    int capability = 0;
    while (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0) ++capability;
    // EINVAL: the first number that the kernel does not know. EPERM: a container has taken the right to do
    // this from root.
    if (errno != EINVAL && errno != EPERM) throw_errno("empty", "the capability bounding set");
}

void confine(const Confinement& allowed) {
#ifdef RELAIS_SANITIZED
    if (std::getenv("RELAIS_NO_SECCOMP") != nullptr) return;
#endif
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) throw_errno("set", "no_new_privs");
    restrict_by_landlock({.read_below = allowed.read_below,
                          .write_below = allowed.write_below,
                          .execute = allowed.run_programs,
                          .make_directories = allowed.make_directories,
                          .move = allowed.move_files,
                          .must_move = allowed.must_move_files,
                          .signal_all = allowed.signal_all,
                          .tcp = allowed.network});
    load_seccomp(allowed);
}

}  // namespace relais
