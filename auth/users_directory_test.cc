#include "auth/users_directory.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/error.h"

namespace relais::auth {
namespace {

// Anybody may hold it who can read the directory.
TEST(UsersDirectory, NobodyIsKeptWaitingForEver) {
    char name[] = "/tmp/users_directory_test.XXXXXX";
    const std::string directory = ::mkdtemp(name);
    std::filesystem::create_directory(directory + "/users");
    const control::Home home(directory);
    {
        const Fd stranger(::open((directory + "/users").c_str(), O_RDONLY | O_CLOEXEC));
        ASSERT_EQ(::flock(stranger.get(), LOCK_EX), 0);
        try {
            lock_users(home, Deadline::in(std::chrono::milliseconds(100)));
            ADD_FAILURE() << "it was locked twice";
        } catch (const Error& error) {
            EXPECT_EQ(error.reaction(), Reaction::temporary);
            EXPECT_THAT(error.what(), testing::HasSubstr("/users: another program holds it"));
        }
    }
    EXPECT_TRUE(lock_users(home, Deadline::in(Seconds(5))));
    std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace relais::auth
