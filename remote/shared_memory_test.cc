#include "remote/shared_memory.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace relais::remote {
namespace {

constexpr std::int64_t now = 1'700'000'000;

TEST(SharedMemory, SessionsAreFoundByTheirKeyForAnHour) {
    SharedMemory memory;
    EXPECT_FALSE(memory.session("a", now));
    for (const std::size_t size : {0U, 1U, 7U, 8U, 9U, 2000U, 8192U}) {
        memory.put_session("a", std::string(size, 's'), now);
        EXPECT_EQ(memory.session("a", now + 1), std::string(size, 's'));
    }
    EXPECT_FALSE(memory.session("b", now));
    EXPECT_FALSE(memory.session("a", now + 3601));
    EXPECT_FALSE(memory.session("a", now - 1));
    memory.put_session("a", std::string(8193, 's'), now);
    EXPECT_EQ(memory.session("a", now)->size(), 8192U);
}

TEST(SharedMemory, ChildrenShareIt) {
    SharedMemory memory;
    const pid_t child = ::fork();
    if (child == 0) {
        memory.put_session("a", "from the child", now);
        memory.note_slow("2001:db8::1", now);
        ::_exit(0);
    }
    ::waitpid(child, nullptr, 0);
    EXPECT_EQ(memory.session("a", now), "from the child");
    EXPECT_TRUE(memory.is_slow("2001:db8::1", now + 600));
    EXPECT_FALSE(memory.is_slow("2001:db8::1", now + 601));
    EXPECT_FALSE(memory.is_slow("2001:db8::2", now));
}

TEST(SharedMemory, NobodyReadsHalfASession) {
    SharedMemory memory;
    const pid_t child = ::fork();
    if (child == 0) {
        for (int i = 0; i < 20000; ++i)
            memory.put_session("a", std::string(4000, static_cast<char>('a' + i % 26)), now);
        ::_exit(0);
    }
    int status = 0;
    while (::waitpid(child, &status, WNOHANG) == 0) {
        const auto session = memory.session("a", now);
        if (session) {
            EXPECT_EQ(*session, std::string(4000, session->front()));
        }
    }
    EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace relais::remote
