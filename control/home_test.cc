#include "control/home.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace relais::control {
namespace {

namespace fs = std::filesystem;

class HomeOfProgram : public testing::Test {
  protected:
    void SetUp() override {
        char name[] = "/tmp/home_test.XXXXXX";
        directory_ = ::mkdtemp(name);
        for (const char* instance : {"first", "second"}) {
            fs::create_directories(directory_ / instance / "control");
            std::ofstream(directory_ / instance / "control/owners") << "single 1 1\n";
        }
        // The first has its own programs, the second a link to where they were installed.
        for (const char* folder : {"first/bin", "programs", "usr/sbin", "usr/lib", "usr/bin"})
            fs::create_directories(directory_ / folder);
        for (const char* program : {"first/bin/sendmail", "programs/sendmail", "usr/bin/qmail-queue"})
            std::ofstream(directory_ / program) << "";
        fs::create_directory_symlink("../programs", directory_ / "second/bin");
    }
    void TearDown() override { fs::remove_all(directory_); }

    std::string home_of(const std::string& path) const {
        return Home::of_program((directory_ / path).string()).value_or("none");
    }
    std::string instance(const char* name) const { return (directory_ / name).string(); }

    fs::path directory_;
};

TEST_F(HomeOfProgram, IsAboveBin) {
    EXPECT_EQ(home_of("first/bin/sendmail"), instance("first"));
    EXPECT_EQ(home_of("second/bin/sendmail"), instance("second"));
    EXPECT_EQ(home_of("programs/sendmail"), "none");
    EXPECT_EQ(home_of("usr/bin/qmail-queue"), "none");
    EXPECT_EQ(Home::of_program(""), std::nullopt);
    EXPECT_EQ(Home::of_program("/sendmail"), std::nullopt);
}

TEST_F(HomeOfProgram, IsFoundThroughLinks) {
    fs::create_symlink(directory_ / "second/bin/sendmail", directory_ / "usr/sbin/sendmail");
    fs::create_symlink("../sbin/sendmail", directory_ / "usr/lib/sendmail");
    EXPECT_EQ(home_of("usr/lib/sendmail"), instance("second"));
    fs::create_symlink("endless", directory_ / "usr/bin/endless");
    EXPECT_EQ(home_of("usr/bin/endless"), "none");
}

TEST_F(HomeOfProgram, IsFoundFromWithin) {
    const fs::path before = fs::current_path();
    fs::current_path(directory_ / "first");
    EXPECT_EQ(Home::of_program("bin/sendmail"), instance("first"));
    fs::current_path(directory_ / "first/bin");
    EXPECT_EQ(Home::of_program("./sendmail"), instance("first"));
    fs::current_path(before);
}

}  // namespace
}  // namespace relais::control
