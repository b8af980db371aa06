#include "remote/shared_memory.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace relais::remote {
namespace {

constexpr std::int64_t start = 1'700'000'000;

TEST(SharedMemory, SessionsAreFoundByTheirKeyForAnHour) {
    SharedMemory memory;
    EXPECT_FALSE(memory.session("a", start));
    for (const std::size_t size : {0U, 1U, 7U, 8U, 9U, 2000U, 8192U}) {
        memory.put_session("a", std::string(size, 's'), start);
        EXPECT_EQ(memory.session("a", start + 1), std::string(size, 's'));
    }
    EXPECT_FALSE(memory.session("b", start));
    EXPECT_FALSE(memory.session("a", start + 3601));
    EXPECT_FALSE(memory.session("a", start - 1));
    memory.put_session("a", std::string(8193, 's'), start);
    EXPECT_EQ(memory.session("a", start)->size(), 8192U);
}

TEST(SharedMemory, ChildrenShareIt) {
    SharedMemory memory;
    const pid_t child = ::fork();
    if (child == 0) {
        memory.put_session("a", "from the child", start);
        memory.note_slow("2001:db8::1", start);
        ::_exit(0);
    }
    ::waitpid(child, nullptr, 0);
    EXPECT_EQ(memory.session("a", start), "from the child");
    EXPECT_TRUE(memory.is_slow("2001:db8::1", start + 600));
    EXPECT_FALSE(memory.is_slow("2001:db8::1", start + 601));
    EXPECT_FALSE(memory.is_slow("2001:db8::2", start));
}

TEST(SharedMemory, NobodyReadsHalfASession) {
    SharedMemory memory;
    const pid_t child = ::fork();
    if (child == 0) {
        for (int i = 0; i < 20000; ++i)
            memory.put_session("a", std::string(4000, static_cast<char>('a' + i % 26)), start);
        ::_exit(0);
    }
    int status = 0;
    while (::waitpid(child, &status, WNOHANG) == 0) {
        const auto session = memory.session("a", start);
        if (session) {
            EXPECT_EQ(*session, std::string(4000, session->front()));
        }
    }
    EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace relais::remote
