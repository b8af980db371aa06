#include "listen/children.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <map>

namespace relais::listen {
namespace {

// A child that ends at once: with that code, or by that signal where code is negative.
pid_t child_that_ends(int code) {
    const pid_t pid = ::fork();
    if (pid == 0) {
        if (code < 0) ::raise(-code);
        ::_exit(code);
    }
    return pid;
}

TEST(Children, EachEndIsToldOnce) {
    EventLoop loop;
    std::map<pid_t, std::string> ends;
    constexpr std::size_t number = 50;
    Children children(loop, [&](pid_t pid, const std::string& ip, int status) {
        EXPECT_TRUE(WIFEXITED(status));
        EXPECT_TRUE(ends.emplace(pid, ip).second);
        if (ends.size() == number) loop.stop();
    });
    std::map<pid_t, std::string> begun;
    for (std::size_t i = 0; i < number; ++i) {
        const pid_t pid = child_that_ends(0);
        begun.emplace(pid, "192.0.2." + std::to_string(i));
        children.add(pid, begun[pid]);
    }
    EXPECT_EQ(children.count(), number);
    loop.run();
    EXPECT_EQ(ends, begun);
    EXPECT_EQ(children.count(), 0U);
}

TEST(Children, OnlyABugIsACrash) {
    for (const auto& [code, crash] : std::map<int, bool>{{0, false},
                                                         {111, false},
                                                         {-SIGTERM, false},
                                                         {-SIGKILL, false},
                                                         {-SIGABRT, true},
                                                         {-SIGSYS, true}}) {
        EventLoop loop;
        Children children(loop, [&, expected = crash](pid_t, const std::string&, int status) {
            EXPECT_EQ(is_crash(status), expected);
            loop.stop();
        });
        children.add(child_that_ends(code), "192.0.2.1");
        loop.run();
    }
}

}  // namespace
}  // namespace relais::listen
