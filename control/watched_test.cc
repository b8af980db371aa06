#include "control/watched.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "control/secret_file.h"
#include "control/setting.h"

namespace relais::control {
namespace {

class WatchedTest : public ::testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = ::testing::TempDir() + "/watched.XXXXXX";
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        directory_ = pattern;
        std::filesystem::create_directory(directory_ + "/control");
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }
    std::string file(const std::string& name) const { return directory_ + "/control/" + name; }
    void put(const std::string& name, std::string_view content) const {
        replace_file(file(name), content, 0644);
    }
    Home home() const { return Home(directory_); }

  private:
    std::string directory_;
};

}  // namespace

TEST_F(WatchedTest, WhatIsReadIsWatched) {
    Watched<std::string> name(home(), [this] { return read<"helohost">(home()); });
    put("me", "one.test\n");
    EXPECT_EQ(name.get(), "one.test");
    put("me", "two.test\n");
    EXPECT_EQ(name.get(), "two.test");
    put("helohost", "three.test\n");  // it was looked for, and not there
    EXPECT_EQ(name.get(), "three.test");
    std::filesystem::remove(file("helohost"));
    EXPECT_EQ(name.get(), "two.test");
    EXPECT_EQ(name.version(), 4U);
}

TEST_F(WatchedTest, WhatIsOfNoMomentMakesNothingAnew) {
    Watched<std::uint64_t> octets(home(), [this] { return read<"databytes">(home()); });
    EXPECT_EQ(octets.get(), 0U);
    put("maxrcpt", "5\n");
    EXPECT_EQ(octets.get(), 0U);
    EXPECT_EQ(octets.version(), 1U);
    put("databytes", "1000\n");
    EXPECT_EQ(octets.last(), 0U);
    EXPECT_EQ(octets.get(), 1000U);
    EXPECT_EQ(octets.version(), 2U);
}

TEST_F(WatchedTest, AnErrorIsTriedAgain) {
    Watched<std::string> name(home(), [this] { return read_me(home()); });
    EXPECT_THROW(name.get(), Error);
    EXPECT_THROW(name.last(), Error);
    put("me", "mail.test\n");
    EXPECT_EQ(name.get(), "mail.test");
}

TEST_F(WatchedTest, FilesWithPasswordsAndOthersAreWatchedToo) {
    const auto count = [this] {
        const auto secret = SecretLines::read(home(), "smtproutes");
        return secret ? secret->lines().size() : 0;
    };
    Watched<std::size_t> routes(home(), count);
    EXPECT_EQ(routes.get(), 0U);
    put("smtproutes", ":smart.test\n");
    EXPECT_EQ(routes.get(), 1U);

    WatchList list(home());
    list.add(file("users"));
    EXPECT_FALSE(list.changed());
    put("users", "x");
    EXPECT_TRUE(list.changed());
}

TEST_F(WatchedTest, AnInnerValueIsNotThatOfTheOuterOne) {
    Watched<std::string> inner(home(), [this] { return read<"bouncefrom">(home()); });
    Watched<std::string> outer(home(), [&] { return inner.get() + read<"doublebounceto">(home()); });
    EXPECT_EQ(outer.get(), "MAILER-DAEMONpostmaster");
    put("doublebounceto", "x\n");
    EXPECT_EQ(outer.get(), "MAILER-DAEMONx");
}

}  // namespace relais::control
