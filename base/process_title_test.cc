#include "base/process_title.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "base/file.h"
#include "base/program.h"

namespace relais {
namespace {

// glibc calls constructors with main's arguments; GoogleTest has main itself and takes its options out of
// them.
__attribute__((constructor)) void remember_before_main(int argc, char** argv, char**) {
    remember_title_area(argc, argv);
}

std::string own(const char* name) {
    return read_file("/proc/self/" + std::string(name), 65536).value_or("");
}

// Runs steps in a child, for the test program is to keep its name; the answer is the number of the failed
// step.
int in_child(int (*steps)()) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(steps());
    int status = -1;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

TEST(ProcessTitle, ShowsNameAndArgumentsAndKeepsTheEnvironment) {
    EXPECT_EQ(in_child([] {
                  ::setenv("TITLE_TEST", "kept", 1);
                  const std::string path = environment("PATH", "");
                  set_process_title("qmail-remote", {"sleekzine.com", "root@ns.example", "a\nb"});
                  if (own("comm") != "qmail-remote\n") return 1;
                  const std::string line = own("cmdline");
                  if (line.substr(0, line.find('\0')) != "qmail-remote sleekzine.com root@ns.example a?b")
                      return 2;
                  if (environment("TITLE_TEST", "") != "kept" || environment("PATH", "") != path) return 3;
                  set_process_title("qmail-local");
                  const std::string shorter = own("cmdline");
                  if (shorter.substr(0, shorter.find('\0')) != "qmail-local") return 4;
                  return 0;
              }),
              0);
}

TEST(ProcessTitle, CutsWhatIsTooLong) {
    EXPECT_EQ(in_child([] {
                  set_process_title("qmail-remote", {std::string(1 << 20, 'x')});
                  if (own("cmdline").substr(0, 14) != "qmail-remote x") return 1;
                  if (environment("PATH", "").empty()) return 2;
                  return 0;
              }),
              0);
}

}  // namespace relais
