#include "explain/run_as.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"

namespace relais::explain {
namespace {

// Of whoever runs the test, or nobody's where that is root.
constexpr uid_t nobody = 65534;

TEST(RunAs, ItsProcessEndsWithWhoHasAsked) {
    Pipe alive = make_pipe();
    const pid_t asker = ::fork();
    if (asker == 0) {
        run_as(nobody, nobody, [&] {
            write_all(alive.write.get(), "x", Deadline::never());
            for (;;) ::pause();
            return std::string();
        });
        ::_exit(0);
    }
    ASSERT_GT(asker, 0);
    alive.write.reset();
    char began = 0;
    ASSERT_EQ(::read(alive.read.get(), &began, 1), 1);
    ::kill(asker, SIGKILL);
    ASSERT_EQ(::waitpid(asker, nullptr, 0), asker);
    // Its end of the pipe is the last one.
    EXPECT_EQ(read_to_end(alive.read.get(), 10, Deadline::in(Seconds(60))), "");
}

}  // namespace
}  // namespace relais::explain
