#include "control/setting.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "base/error.h"
#include "base/file.h"

namespace relais::control {
namespace {

class SettingTest : public ::testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = ::testing::TempDir() + "/setting.XXXXXX";
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        directory_ = pattern;
        std::filesystem::create_directory(directory_ + "/control");
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }
    void put(const std::string& name, std::string_view content) const {
        replace_file(directory_ + "/control/" + name, content, 0644);
    }
    Home home() const { return Home(directory_); }

  private:
    std::string directory_;
};

}  // namespace

TEST_F(SettingTest, MissingMeansTheDefaultOfTheRow) {
    static_assert(default_of<"timeoutsmtpd">() == std::chrono::seconds(1200));
    static_assert(default_of<"submissionauth">());
    static_assert(default_of<"doublebounceto">() == "postmaster");
    EXPECT_EQ(read<"timeoutsmtpd">(home()), std::chrono::seconds(1200));
    EXPECT_EQ(read<"databytes">(home()), 0U);
    EXPECT_FALSE(read<"authplain">(home()));
    EXPECT_EQ(read<"bouncefrom">(home()), "MAILER-DAEMON");
    EXPECT_EQ(read<"smtplisten">(home()), std::vector<std::string>{"0 25"});
    EXPECT_TRUE(read<"smtproutes">(home()).empty());
}

TEST_F(SettingTest, NumbersKeepTheirBounds) {
    put("timeoutsmtpd", "0\n");
    put("refusedpause", "3600\n");
    put("concurrencyremote", "120\n");
    put("submissiontls", "0\n");
    EXPECT_EQ(read<"timeoutsmtpd">(home()), std::chrono::seconds(1));
    EXPECT_EQ(read<"refusedpause">(home()), std::chrono::seconds(60));
    EXPECT_EQ(read<"concurrencyremote">(home()), 120U);
    EXPECT_FALSE(read<"submissiontls">(home()));
}

TEST_F(SettingTest, WithoutAFileMeCounts) {
    EXPECT_THROW(read<"helohost">(home()), Error);
    put("me", "mail.test\n");
    EXPECT_EQ(read<"helohost">(home()), "mail.test");
    EXPECT_EQ(read<"locals">(home()), std::vector<std::string>{"mail.test"});
    put("locals", "# none\n");
    EXPECT_TRUE(read<"locals">(home()).empty());
}

TEST_F(SettingTest, AnEmptyLineIsAValueUnlessTheRowSaysOtherwise) {
    put("relaydenied", "\n");
    put("bouncehints", "\n");
    EXPECT_EQ(read<"relaydenied">(home()), default_of<"relaydenied">());
    EXPECT_EQ(read<"bouncehints">(home()), "");
}

}  // namespace relais::control
