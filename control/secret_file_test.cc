#include "control/secret_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "base/error.h"
#include "base/file.h"

namespace relais::control {
namespace {

class SecretFile : public ::testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = ::testing::TempDir() + "/secret.XXXXXX";
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        directory_ = pattern;
        std::filesystem::create_directory(directory_ + "/control");
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }
    Home home() const { return Home(directory_); }
    void put(std::string_view content, mode_t mode) {
        replace_file(home().control_file("smtproutes"), content, mode);
        ::chmod(home().control_file("smtproutes").c_str(), mode);
    }

  private:
    std::string directory_;
};

TEST_F(SecretFile, LinesAsInEveryControlFile) {
    EXPECT_FALSE(SecretLines::read(home(), "smtproutes"));
    put("a:b|u|p \t\r\n# no\n\n:c\n", 0400);
    const auto lines = SecretLines::read(home(), "smtproutes");
    ASSERT_TRUE(lines);
    EXPECT_EQ(lines->lines(), (std::vector<std::string_view>{"a:b|u|p", ":c"}));
}

TEST_F(SecretFile, APasswordThatOthersMayReadIsRefused) {
    for (const mode_t mode : {0644, 0640, 0604, 0620, 0601, 0440}) {
        put(":host|user|hidden\n", mode);
        try {
            SecretLines::read(home(), "smtproutes");
            FAIL() << "mode " << std::oct << mode;
        } catch (const Error& error) {
            const std::string text = error.what();
            EXPECT_NE(text.find("chmod 400"), std::string::npos) << text;
            EXPECT_EQ(text.find("hidden"), std::string::npos) << text;
            EXPECT_EQ(error.reaction(), Reaction::temporary);
        }
        EXPECT_TRUE(SecretLines::read_unchecked(home(), "smtproutes")->exposure(::getuid()));
    }
    put(":host\n", 0644);
    EXPECT_TRUE(SecretLines::read(home(), "smtproutes"));
    EXPECT_FALSE(SecretLines::read_unchecked(home(), "smtproutes")->exposure(::getuid()));
    put(":host|u|p\n", 0600);
    EXPECT_FALSE(SecretLines::read_unchecked(home(), "smtproutes")->exposure(::getuid()));
    EXPECT_TRUE(SecretLines::read_unchecked(home(), "smtproutes")->exposure(::getuid() + 1));
}

TEST(Passwords, AreNotShown) {
    EXPECT_EQ(without_password("a:b:587|user|se|cret"), "a:b:587|user|...");
    EXPECT_EQ(without_password("a:b|secret"), "a:b|...");
    EXPECT_EQ(without_password("a:b"), "a:b");
    EXPECT_TRUE(has_password("a|secret"));
    EXPECT_TRUE(may_hold_passwords("authsenders") && !may_hold_passwords("rcpthosts"));
}

}  // namespace
}  // namespace relais::control
