#include "base/privilege.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "base/error.h"

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
                  confine({.open_files = true, .create_processes = true});
                  ::execl("/bin/true", "true", nullptr);
                  return 0;
              }),
              -SIGSYS);
}

TEST(Confine, CallsOfNoListAreUnknown) {
    if (seccomp_is_off()) GTEST_SKIP();
    EXPECT_EQ(
        outcome([] {
            confine({.open_files = true, .change_files = true, .network = true, .create_processes = true});
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
                  confine({.fork_without_signals = true});
                  if (outcome([] { return 7; }) != 7) return 1;
                  return ::syscall(SYS_tgkill, ::getppid(), ::getppid(), SIGTERM) < 0 ? 0 : 2;
              }),
              0);
    EXPECT_EQ(outcome([] {
                  confine({.fork_without_signals = true});
                  ::kill(::getppid(), 0);
                  return 0;
              }),
              -SIGSYS);
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
