#include "auth/users_directory.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/error.h"

namespace relais::auth {
namespace {

class UsersDirectory : public testing::Test {
  protected:
    UsersDirectory() { std::filesystem::create_directory(directory_ + "/users"); }
    ~UsersDirectory() override { std::filesystem::remove_all(directory_); }
    Fd locked_by_stranger(const std::string& path) const {
        Fd stranger(::open((directory_ + path).c_str(), O_RDONLY | O_CLOEXEC));
        EXPECT_EQ(::flock(stranger.get(), LOCK_EX), 0);
        return stranger;
    }

    char name_[40] = "/tmp/users_directory_test.XXXXXX";
    const std::string directory_ = ::mkdtemp(name_);
    const control::Home home_{directory_};
};

TEST_F(UsersDirectory, WhoHoldsTheLockIsNamedAndNotWaitedForForEver) {
    lock_users(home_);
    const Fd other = locked_by_stranger("/users/.lock");
    try {
        lock_users(home_, Deadline::in(std::chrono::milliseconds(100)));
        ADD_FAILURE() << "it was locked twice";
    } catch (const Error& error) {
        EXPECT_EQ(error.reaction(), Reaction::temporary);
        EXPECT_THAT(error.what(), testing::HasSubstr("/users/.lock: another program holds it"));
    }
}

TEST_F(UsersDirectory, WhoOnlyReadsItHoldsNobodyUp) {
    const Fd stranger = locked_by_stranger("/users");
    EXPECT_TRUE(lock_users(home_, Deadline::in(std::chrono::milliseconds(100))));
    struct stat lock {};
    ASSERT_EQ(::stat((directory_ + "/users/.lock").c_str(), &lock), 0);
    EXPECT_EQ(lock.st_mode & 07777, 0600U);
}

TEST_F(UsersDirectory, NoLinkIsFollowed) {
    std::filesystem::create_symlink("/dev/null", directory_ + "/users/.lock");
    EXPECT_THROW(lock_users(home_, Deadline::in(std::chrono::milliseconds(100))), Error);
}

}  // namespace
}  // namespace relais::auth
