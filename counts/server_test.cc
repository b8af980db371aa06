#include "counts/server.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/unix_socket.h"

namespace relais::counts {
namespace {

constexpr uid_t nobody = 65534;
const Count budget{"rate:recipients:3600:login-hold:a@x", 1, 1, 3600};
const Count used_up{budget.key, 0, 0, budget.window};

// An instance's directory, and a server in a process of its own.
class CountServerTest : public testing::Test {
  protected:
    CountServerTest() {
        std::string name = std::filesystem::temp_directory_path() / "relais-counts.XXXXXX";
        directory_ = ::mkdtemp(name.data());
        std::filesystem::create_directory(directory_ / "sockets");
        std::filesystem::create_directory(directory_ / "counts");
        // As run_program has it; a server that is killed must not end the test.
        ::signal(SIGPIPE, SIG_IGN);
        ::chmod(directory_.c_str(), 0755);
    }
    ~CountServerTest() override {
        kill_server();
        std::filesystem::remove_all(directory_);
    }

    control::Home home() const { return control::Home(directory_); }
    void start_server() {
        listening_ = listen_unix(home().socket("counts"), 0666, -1, -1);
        server_ = ::fork();
        if (server_ != 0) return;
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        EventLoop loop;
        ServerLimits limits;
        limits.between_saves = Seconds(1);
        const CountServer server(loop, listening_.get(), home().path("counts"), limits);
        loop.run();
        ::_exit(0);
    }
    void kill_server() {
        if (server_ <= 0) return;
        ::kill(server_, SIGKILL);
        ::waitpid(server_, nullptr, 0);
        server_ = 0;
    }
    std::string held_file() const {
        std::ifstream file(directory_ / "counts/held");
        return {std::istreambuf_iterator<char>(file), {}};
    }
    static Deadline soon() { return Deadline::in(Seconds(30)); }

    std::filesystem::path directory_;
    Fd listening_;
    pid_t server_ = 0;
};

TEST_F(CountServerTest, AHoldAndAReleaseAreOnDiskWhenTheyAreAnswered) {
    start_server();
    Counts counts(home());
    EXPECT_EQ(counts.hold(used_up, soon()), false);
    counts.count({budget}, soon());
    EXPECT_EQ(counts.hold(used_up, soon()), true);
    EXPECT_NE(held_file().find("held:login:a@x"), std::string::npos);
    kill_server();
    start_server();
    EXPECT_EQ(counts.is_held(held_key("a@x"), soon()), true);
    EXPECT_EQ(counts.release(held_key("a@x"), soon()), true);
    EXPECT_EQ(held_file(), "");
    kill_server();
    start_server();
    EXPECT_EQ(counts.is_held(held_key("a@x"), soon()), false);
    EXPECT_EQ(counts.hold(used_up, soon()), false);
}

TEST_F(CountServerTest, AHoldThatCouldNotBeSavedIsSavedLater) {
    std::filesystem::remove(directory_ / "counts");
    start_server();
    Counts counts(home());
    counts.count({budget}, soon());
    EXPECT_EQ(counts.hold(used_up, soon()), true);
    std::filesystem::create_directory(directory_ / "counts");
    const Deadline deadline = soon();
    while (held_file().empty() && !deadline.passed()) ::usleep(20'000);
    EXPECT_NE(held_file().find("held:login:a@x"), std::string::npos);
}

TEST_F(CountServerTest, OnlyRootReleasesAndForgets) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    start_server();
    Counts roots(home());
    roots.count({budget}, soon());
    EXPECT_EQ(roots.hold(used_up, soon()), true);
    ASSERT_EQ(::seteuid(nobody), 0);
    Counts others(home());
    EXPECT_EQ(others.is_held(held_key("a@x"), soon()), true);
    EXPECT_EQ(others.release(held_key("a@x"), soon()), std::nullopt);
    EXPECT_EQ(others.forget("rate:", soon()), std::nullopt);
    ASSERT_EQ(::seteuid(0), 0);
    EXPECT_EQ(roots.is_held(held_key("a@x"), soon()), true);
    EXPECT_EQ(roots.forget("rate:", soon()), 1U);
    EXPECT_EQ(roots.release(held_key("a@x"), soon()), true);
}

}  // namespace
}  // namespace relais::counts
