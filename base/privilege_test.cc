#include "base/privilege.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "base/error.h"
#include "base/landlock.h"

namespace relais {
namespace {

// How a child that runs work ends: its exit code, or minus the signal that killed it.
int outcome(const std::function<int()>& work) {
    const pid_t child = ::fork();
    if (child == 0) {
        try {
            ::_exit(work());
        } catch (const Error&) {
            ::_exit(99);
        }
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

bool seccomp_is_off() {
#ifdef RELAIS_SANITIZED
    return true;
#else
    return false;
#endif
}

}  // namespace

TEST(Confine, KillsForWhatWasNotAllowed) {
    if (seccomp_is_off()) GTEST_SKIP();
    EXPECT_EQ(outcome([] {
                  confine({});
                  ::socket(AF_INET, SOCK_STREAM, 0);
                  return 0;
              }),
              -SIGSYS);
    EXPECT_EQ(outcome([] {
                  confine({});
                  ::open("/etc/passwd", O_RDONLY);
                  return 0;
              }),
              -SIGSYS);
    EXPECT_EQ(outcome([] {
                  confine({.open_files = true, .fork = true});
                  ::execl("/bin/true", "true", nullptr);
                  return 0;
              }),
              -SIGSYS);
}

TEST(Confine, CallsOfNoListAreUnknown) {
    if (seccomp_is_off()) GTEST_SKIP();
    EXPECT_EQ(outcome([] {
                  confine({.open_files = true, .change_files = true, .network = true, .fork = true});
                  for (const long number : {long{SYS_io_uring_setup}, long{SYS_quotactl}, 1000L, 0x3fffffffL})
                      if (::syscall(number, 0, 0, 0) != -1 || errno != ENOSYS) return 1;
                  return 0;
              }),
              0);
    // Numbers of the other ABI are none at all.
    EXPECT_EQ(outcome([] {
                  confine({});
                  ::syscall(0x40000000L + SYS_getpid);
                  return 0;
              }),
              -SIGSYS);
}

// Those who are forked without exec share their user: none may end another.
TEST(Confine, ForkWithoutSignals) {
    if (seccomp_is_off()) GTEST_SKIP();
    EXPECT_EQ(outcome([] {
                  confine({.fork = true});
                  if (outcome([] { return 7; }) != 7) return 1;
                  return ::syscall(SYS_tgkill, ::getppid(), ::getppid(), SIGTERM) < 0 ? 0 : 2;
              }),
              0);
    EXPECT_EQ(outcome([] {
                  confine({.fork = true});
                  ::kill(::getppid(), 0);
                  return 0;
              }),
              -SIGSYS);
}

// Runs work in a child that is confined so; every call in it must be refused, and the child goes on.
int refused(const Confinement& allowed, const std::function<bool()>& succeeds) {
    return outcome([&] {
        confine(allowed);
        errno = 0;
        if (succeeds()) return 1;
        return errno == ENOSYS || errno == EPERM ? 0 : 2;
    });
}

TEST(Confine, NoSignalByWayOfADescriptor) {
    if (seccomp_is_off()) GTEST_SKIP();
    for (const int command : {F_SETOWN, F_SETOWN_EX, F_SETSIG, F_SETLEASE, F_NOTIFY})
        EXPECT_EQ(refused({.fork = true}, [&] { return ::fcntl(0, command, ::getppid()) == 0; }), 0)
            << command;
    EXPECT_EQ(refused({}, [] { return ::fcntl(0, F_GETFD) < 0; }), 2) << "what is allowed is allowed";
    int pid = ::getpid();
    for (const unsigned long request : {FIOSETOWN, FIOASYNC, TIOCSTI, TIOCLINUX})
        EXPECT_EQ(refused({}, [&] { return ::ioctl(0, request, &pid) == 0; }), 0) << request;
}

TEST(Confine, NoLimitForOthers) {
    if (seccomp_is_off()) GTEST_SKIP();
    const pid_t parent = ::getpid();
    EXPECT_EQ(refused({.fork = true},
                      [&] {
                          rlimit limit{1024, 1024};
                          return ::prlimit(parent, RLIMIT_NOFILE, &limit, nullptr) == 0;
                      }),
              0);
    EXPECT_EQ(outcome([] {
                  confine({});
                  rlimit limit{};
                  return ::getrlimit(RLIMIT_NOFILE, &limit);
              }),
              0);
}

TEST(Confine, NoNamespaces) {
    if (seccomp_is_off()) GTEST_SKIP();
    for (const long flag : {CLONE_NEWUSER, CLONE_NEWNET, CLONE_NEWPID, CLONE_NEWNS})
        EXPECT_EQ(refused({.fork = true, .threads = true},
                          [&] {
                              const long child = ::syscall(SYS_clone, flag | SIGCHLD, 0, 0, 0, 0);
                              if (child == 0) ::_exit(0);
                              return child > 0;
                          }),
                  0)
            << flag;
    EXPECT_EQ(refused({.fork = true}, [] { return ::syscall(SYS_clone3, nullptr, 0) == 0; }), 0);
}

TEST(Confine, NothingBecomesExecutable) {
    if (seccomp_is_off()) GTEST_SKIP();
    const auto executable = [] {
        return ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                      0) != MAP_FAILED;
    };
    EXPECT_EQ(refused({.threads = true}, executable), 0);
    void* const page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT_EQ(refused({}, [&] { return ::mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0; }), 0);
    EXPECT_EQ(refused({.load_code = true}, [&] { return !executable(); }), 2);
    EXPECT_EQ(refused({}, [] { return ::memfd_create("x", 0) >= 0; }), 0);
}

TEST(Confine, PrctlByList) {
    if (seccomp_is_off()) GTEST_SKIP();
    for (const int option :
         {PR_SET_MM, PR_SET_PTRACER, PR_SET_TIMERSLACK, PR_SET_CHILD_SUBREAPER, PR_CAPBSET_DROP})
        EXPECT_EQ(refused({.fork = true}, [&] { return ::prctl(option, 1, 0, 0, 0) == 0; }), 0) << option;
    EXPECT_EQ(outcome([] {
                  confine({});
                  return ::prctl(PR_SET_NAME, "name") + ::prctl(PR_SET_DUMPABLE, 0);
              }),
              0);
}

TEST(Confine, AcceptConnectAndBindAreThreeThings) {
    if (seccomp_is_off()) GTEST_SKIP();
    EXPECT_EQ(outcome([] {
                  confine({.accept = true});
                  return ::accept4(0, nullptr, nullptr, 0) < 0 && errno == ENOTSOCK ? 0 : 1;
              }),
              0);
    const auto connects = [] {
        ::connect(0, nullptr, 0);
        return 0;
    };
    EXPECT_EQ(outcome([&] { return confine({.accept = true}), connects(); }), -SIGSYS);
    EXPECT_EQ(outcome([&] { return confine({.local_sockets = true}), connects(); }), 0);
    EXPECT_EQ(
        outcome([] { return confine({.local_sockets = true, .accept = true}), ::bind(0, nullptr, 0), 0; }),
        -SIGSYS);
    EXPECT_EQ(outcome([] { return confine({.network = true}), ::accept(0, nullptr, nullptr), 0; }), -SIGSYS);
    EXPECT_EQ(outcome([] {
                  int ends[2];
                  return confine({.local_sockets = true}), ::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0;
              }),
              -SIGSYS);
}

// What only a later Landlock knows is looked at where the kernel has it.
TEST(Confine, LandlockKeepsToItself) {
    if (seccomp_is_off()) GTEST_SKIP();
    const pid_t parent = ::getpid();
    if (landlock_version() >= 6) {
        EXPECT_EQ(refused({.fork = true, .signal_children = true}, [&] { return ::kill(parent, 0) == 0; }),
                  0);
    }
    const auto tcp = [](const char* call, unsigned port) {
        const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(port));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const auto* generic = reinterpret_cast<const sockaddr*>(&address);
        return std::string_view(call) == "bind" ? ::bind(fd, generic, sizeof address) == 0
                                                : ::connect(fd, generic, sizeof address) == 0;
    };
    EXPECT_EQ(outcome([&] { return confine({.network = true}), tcp("bind", 0) ? 0 : 1; }), 0);
    if (landlock_version() >= 4) {
        EXPECT_EQ(outcome([&] {
                      return confine({.network = true}), !tcp("bind", 2999) && errno == EACCES ? 0 : 1;
                  }),
                  0);
    }
}

TEST(DropPrivilege, TheBoundingSetIsEmptied) {
    if (::geteuid() != 0 || ::prctl(PR_CAPBSET_READ, 8 /* CAP_SETPCAP */) != 1) GTEST_SKIP() << "needs root";
    EXPECT_EQ(outcome([] {
                  empty_bounding_set();
                  for (int capability = 0; capability < 64; ++capability)
                      if (::prctl(PR_CAPBSET_READ, capability) == 1) return 1;
                  return 0;
              }),
              0);
}

TEST(Confine, ASocketOfAnotherFamilyIsNotThere) {
    if (seccomp_is_off()) GTEST_SKIP();
    EXPECT_EQ(outcome([] {
                  confine({.local_sockets = true});
                  if (::socket(AF_UNIX, SOCK_STREAM, 0) < 0) return 1;
                  if (::syscall(SYS_socket, AF_UNIX | (1LL << 32), SOCK_STREAM, 0) < 0)
                      return 2;  // as the kernel sees it
                  return ::socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == ENOSYS ? 0 : 3;
              }),
              0);
    EXPECT_EQ(outcome([] {
                  confine({.network = true});
                  for (const int family : {AF_INET, AF_INET6, AF_NETLINK})
                      if (::socket(family, SOCK_DGRAM, 0) < 0 && errno == ENOSYS) return 1;
                  return ::socket(AF_UNIX, SOCK_STREAM, 0) < 0 && errno == ENOSYS ? 0 : 2;
              }),
              0);
}

TEST(Confine, LandlockHidesOtherFiles) {
    if (seccomp_is_off()) GTEST_SKIP();
    EXPECT_EQ(outcome([] {
                  confine({.open_files = true, .read_below = {"/usr"}});
                  if (::open("/usr", O_RDONLY) < 0) return 1;
                  // Without Landlock in the kernel the file opens; with it, it must not.
                  const int fd = ::open("/etc/passwd", O_RDONLY);
                  return fd < 0 ? (errno == EACCES ? 0 : 2) : 0;
              }),
              0);
}

TEST(DropPrivilege, RefusesToStayAnotherUser) {
    EXPECT_EQ(outcome([] {
                  if (::getuid() == 0) {
                      drop_privilege(65534, 65534);
                      return ::setuid(0) == 0 || ::getgroups(0, nullptr) != 0 ? 1 : 0;
                  }
                  try {
                      drop_privilege(::getuid() + 1, ::getgid());
                  } catch (const Error& error) {
                      return error.reaction() == Reaction::permanent ? 0 : 1;
                  }
                  return 1;
              }),
              0);
}

}  // namespace relais
