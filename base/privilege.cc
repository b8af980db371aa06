#include "base/privilege.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "base/error.h"
#include "base/fd.h"
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
                      "fcntl",
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
                      "memfd_create",
                      "mmap",
                      "munmap",
                      "mremap",
                      "mprotect",
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
                      "prlimit64",
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
                      "prctl",
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
                      "ioctl",
                      "sysinfo",
                      "set_tid_address",
                      "arch_prctl",
                      "flock"};
const Calls open_files = {
    "open",      "openat",     "stat",       "lstat",    "newfstatat", "statx",         "access",
    "faccessat", "faccessat2", "getdents64", "readlink", "readlinkat", "inotify_init1", "inotify_add_watch",
    "chdir",     "fchdir",     "getcwd",     "statfs",   "fstatfs"};
const Calls change_files = {
    "unlink",  "unlinkat",        "rename",   "renameat",  "renameat2",    "link",      "linkat",
    "symlink", "mkdir",           "mkdirat",  "rmdir",     "chmod",        "fchmod",    "fchmodat",
    "chown",   "fchown",          "fchownat", "truncate",  "utimensat",    "creat",     "fallocate",
    "syncfs",  "sync_file_range", "io_setup", "io_submit", "io_getevents", "io_destroy"};
const Calls sockets = {"socket", "socketpair", "connect", "bind", "listen", "accept", "accept4"};
const Calls own_signals = {"tgkill"};  // raise and abort; but any thread of the same user can be named
const Calls processes = {"fork",   "vfork",   "clone",  "clone3", "wait4",
                         "waitid", "setpgid", "setsid", "getpgrp"};
const Calls signals = {"kill"};
const Calls programs = {"execve", "execveat"};
const Calls identity = {"setuid",    "setgid",    "setreuid", "setregid", "setresuid",
                        "setresgid", "setgroups", "setfsuid", "setfsgid", "capset"};
const Calls never = {"ptrace",       "process_vm_readv", "process_vm_writev",
                     "mount",        "umount2",          "pivot_root",
                     "chroot",       "reboot",           "init_module",
                     "finit_module", "delete_module",    "kexec_load",
                     "bpf",          "perf_event_open",  "unshare",
                     "setns",        "keyctl",           "add_key",
                     "mknod",        "mknodat",          "swapon",
                     "swapoff",      "userfaultfd",      "personality",
                     "acct",         "settimeofday",     "clock_settime"};

void load_seccomp(const Confinement& allowed) {
    SeccompFilter filter;
    const auto group = [&filter](bool allow, const Calls& calls) {
        for (const char* name : calls)
            filter.add(name, allow ? SeccompFilter::Action::allow : SeccompFilter::Action::kill);
    };
    group(true, always);
    group(allowed.open_files, open_files);
    group(allowed.change_files, change_files);
    group(allowed.create_processes || allowed.threads || allowed.fork_without_signals, processes);
    if (!allowed.fork_without_signals) group(true, own_signals);
    group(allowed.create_processes || allowed.threads, signals);
    group(allowed.run_programs, programs);
    group(allowed.change_identity, identity);
    group(false, never);
    if (allowed.network || allowed.local_sockets) {
        std::vector<std::uint32_t> families;
        if (allowed.local_sockets) families.push_back(AF_UNIX);
        // AF_NETLINK: asked by the C library which families there are.
        if (allowed.network) families.insert(families.end(), {AF_INET, AF_INET6, AF_NETLINK});
        for (const char* name : {"socket", "socketpair"}) filter.allow_with_first_argument(name, families);
    }
    group(allowed.network || allowed.local_sockets, sockets);
    filter.load();
}

constexpr std::uint64_t landlock_read =
    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_EXECUTE;
constexpr std::uint64_t landlock_write = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                                         LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
                                         LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
                                         LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
                                         LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM;

void allow_below(int ruleset, const std::string& path, std::uint64_t access) {
    const Fd fd(::open(path.c_str(), O_PATH | O_CLOEXEC));
    if (!fd) return;
    landlock_path_beneath_attr rule{};
    rule.allowed_access = access;
    rule.parent_fd = fd.get();
    if (::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
        throw_errno("restrict files to", path);
}

void load_landlock(const Confinement& allowed) {
    // Unless it is named here nothing is moved to another directory; older kernels do not know it and never allow that.
    const bool may_move =
        ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION) >= 2;
    const std::uint64_t write = landlock_write | (may_move ? LANDLOCK_ACCESS_FS_REFER : 0);
    landlock_ruleset_attr attributes{};
    attributes.handled_access_fs = landlock_read | write;
    const Fd ruleset(
        static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0)));
    if (!ruleset) return;  // an older kernel, or Landlock switched off: uid and seccomp remain
    for (const std::string& path : allowed.read_below) allow_below(ruleset.get(), path, landlock_read);
    for (const std::string& path : allowed.write_below)
        allow_below(ruleset.get(), path, landlock_read | write);
    if (::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0) throw_errno("restrict", "file access");
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

void confine(const Confinement& allowed) {
#ifdef RELAIS_SANITIZED
    if (std::getenv("RELAIS_NO_SECCOMP") != nullptr) return;
#endif
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) throw_errno("set", "no_new_privs");
    if (!allowed.read_below.empty() || !allowed.write_below.empty() || !allowed.open_files)
        load_landlock(allowed);
    load_seccomp(allowed);
}

}  // namespace relais
