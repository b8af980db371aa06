#include "listen/processes.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "base/unix_socket.h"

namespace relais::listen {
namespace {

// Each client is one octet: 'a' its process would serve another one, 'x' it ends, '!' it dies by a signal.
// The client hears the process id.
int serve_octets(int channel) {
    while (const auto packet = receive_packet(channel, visitor_limit)) {
        const Visitor visitor = decode_visitor(packet->data);
        char word = 0;
        if (::recv(packet->passed.get(), &word, 1, 0) != 1) return 1;
        if (word == '!') ::raise(SIGSYS);
        const std::string answer = std::to_string(::getpid());
        if (::send(packet->passed.get(), answer.data(), answer.size(), MSG_NOSIGNAL) < 0) return 1;
        if (word == 'x' || visitor.last) return 0;
        if (::send(channel, &free_word, 1, MSG_NOSIGNAL) != 1) return 1;
    }
    return 0;
}

class ProcessesTest : public testing::Test {
  protected:
    void make(Processes::Limits limits = {}) {
        processes.emplace(loop, limits,
                          Processes::Handlers{serve_octets, [this](const std::string&) { ++left; },
                                              [this](pid_t pid, const std::string& ip, int number) {
                                                  crash = {pid, ip, number};
                                              }});
    }
    // Runs the loop until that is true, a minute at most.
    template <class Condition>
    bool run_until(Condition condition) {
        const auto end = Clock::now() + std::chrono::minutes(1);
        while (!condition() && Clock::now() < end) {
            loop.after(std::chrono::milliseconds(2), [this] { loop.stop(); });
            loop.run();
        }
        return condition();
    }
    Fd begin(const std::string& ip, char word, Reuse reuse, Variables rule = {}) {
        std::array<int, 2> ends{};
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
        const Fd theirs(ends[0]);
        Fd ours(ends[1]);
        EXPECT_EQ(::send(ours.get(), &word, 1, 0), 1);
        Visitor visitor{{ip, 1}, {"192.0.2.25", 25}, Beginning::greeted, std::move(rule)};
        EXPECT_TRUE(processes->hand_over(theirs.get(), visitor, reuse));
        return ours;
    }
    // The process that served the client; it has left.
    pid_t serve(const std::string& ip, char word = 'a', Reuse reuse = Reuse::same, Variables rule = {}) {
        const unsigned before = left;
        const Fd client = begin(ip, word, reuse, std::move(rule));
        char answer[20] = {};
        EXPECT_GT(::recv(client.get(), answer, sizeof answer - 1, 0), 0);
        EXPECT_TRUE(run_until([&] { return left >= before + 1; }));
        return std::atoi(answer);
    }

    struct Crash {
        pid_t pid = 0;
        std::string ip{};
        int number = 0;
    };
    EventLoop loop;
    std::optional<Processes> processes;
    unsigned left = 0;
    Crash crash;
};

TEST_F(ProcessesTest, TheSameNeighbourhoodIsServedAgain) {
    make();
    const pid_t first = serve("192.0.2.1");
    EXPECT_EQ(serve("192.0.2.1"), first);
    const pid_t other = serve("192.0.2.2");
    EXPECT_NE(other, first);
    EXPECT_EQ(serve("192.0.2.1"), first);
    EXPECT_EQ(serve("192.0.2.2"), other);
    const pid_t network = serve("2001:db8::1");
    EXPECT_EQ(serve("2001:db8::2"), network);
    EXPECT_NE(serve("2001:db8:0:1::2"), network);
}

TEST_F(ProcessesTest, AnotherRuleIsAnotherProcess) {
    make();
    const pid_t relay = serve("2001:db8::1", 'a', Reuse::same, {{"RELAYCLIENT", ""}});
    const pid_t plain = serve("2001:db8::2");
    EXPECT_NE(relay, plain);
    EXPECT_EQ(serve("2001:db8::3"), plain);
    EXPECT_EQ(serve("2001:db8::1", 'a', Reuse::same, {{"RELAYCLIENT", ""}}), relay);
}

TEST_F(ProcessesTest, AnyPrefersTheNeighbourhood) {
    make();
    const pid_t first = serve("192.0.2.1", 'a', Reuse::any);
    const Fd held = begin("192.0.2.1", 'a', Reuse::any);
    const pid_t second = serve("192.0.2.2", 'a', Reuse::any);
    EXPECT_TRUE(run_until([&] { return left >= 3; }));
    EXPECT_NE(second, first);
    EXPECT_EQ(serve("192.0.2.1", 'a', Reuse::any), first);
    EXPECT_EQ(serve("192.0.2.2", 'a', Reuse::any), second);
    EXPECT_EQ(serve("192.0.2.3", 'a', Reuse::any), second);
}

TEST_F(ProcessesTest, OffServesOneClientEach) {
    make();
    const pid_t first = serve("192.0.2.1", 'a', Reuse::off);
    EXPECT_NE(serve("192.0.2.1", 'a', Reuse::off), first);
    EXPECT_TRUE(run_until([&] { return processes->count() == 0; }));
}

TEST_F(ProcessesTest, OneThatWouldServeNobodyElseEnds) {
    make();
    const pid_t first = serve("192.0.2.1", 'x');
    EXPECT_NE(serve("192.0.2.1"), first);
}

TEST_F(ProcessesTest, TheNumberOfClientsIsBounded) {
    make({.clients = 3});
    const pid_t first = serve("192.0.2.1");
    EXPECT_EQ(serve("192.0.2.1"), first);
    EXPECT_EQ(serve("192.0.2.1"), first);
    EXPECT_NE(serve("192.0.2.1"), first);
}

TEST_F(ProcessesTest, TheTimeIsBounded) {
    make({.lifetime = Seconds(-1)});
    const pid_t first = serve("192.0.2.1");
    EXPECT_NE(serve("192.0.2.1"), first);
}

TEST_F(ProcessesTest, WhatWasMadeBeforeAChangeServesNobodyElse) {
    make();
    const pid_t first = serve("192.0.2.1");
    processes->outdate();
    const pid_t second = serve("192.0.2.1");
    EXPECT_NE(second, first);
    const Fd held = begin("192.0.2.1", 'a', Reuse::same);
    processes->outdate();
    EXPECT_TRUE(run_until([&] { return left >= 3; }));
    EXPECT_NE(serve("192.0.2.1"), second);
}

TEST_F(ProcessesTest, TheLongestIdleOneGoesFirst) {
    make({.kept = 2});
    const pid_t first = serve("192.0.2.1");
    const pid_t second = serve("192.0.2.2");
    const pid_t third = serve("192.0.2.3");
    EXPECT_EQ(serve("192.0.2.3"), third);
    EXPECT_EQ(serve("192.0.2.2"), second);
    EXPECT_NE(serve("192.0.2.1"), first);
}

TEST_F(ProcessesTest, IdleOnesEnd) {
    make({.idle = Seconds(0)});
    processes->expect({{"192.0.2.1", 1}, {"192.0.2.25", 25}}, Reuse::same);
    EXPECT_TRUE(run_until([&] { return processes->count() == 1; }));
    serve("192.0.2.1");
    EXPECT_TRUE(run_until([&] { return processes->count() == 0; }));
}

TEST_F(ProcessesTest, ACrashIsTold) {
    make();
    const pid_t first = serve("192.0.2.1");
    const Fd client = begin("192.0.2.1", '!', Reuse::same);
    EXPECT_TRUE(run_until([&] { return crash.pid != 0; }));
    EXPECT_EQ(crash.pid, first);
    EXPECT_EQ(crash.ip, "192.0.2.1");
    EXPECT_EQ(crash.number, SIGSYS);
    EXPECT_EQ(left, 2U);
}

}  // namespace
}  // namespace relais::listen
