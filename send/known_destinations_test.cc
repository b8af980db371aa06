#include "send/known_destinations.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "send/test_queue.h"

namespace relais::send {
namespace {

constexpr std::int64_t some_day = 1'700'000'000;

class KnownDestinationsTest : public testing::Test {
  protected:
    std::string path() const { return queue.home().path("queue/destinations"); }
    KnownDestinations table() const { return {path(), 7}; }
    TestQueue queue;
};

TEST_F(KnownDestinationsTest, RemembersOverRestarts) {
    KnownDestinations first = table();
    EXPECT_FALSE(first.contains("example.org"));
    first.add("example.org", some_day);
    EXPECT_TRUE(first.contains("example.org"));
    KnownDestinations second(path(), 8);
    EXPECT_TRUE(second.contains("example.org"));
    EXPECT_FALSE(second.contains("example.net"));
    EXPECT_FALSE(second.contains(""));
}

TEST_F(KnownDestinationsTest, HasABoundAndForgetsTheOldest) {
    KnownDestinations known = table();
    known.add("daily.example", some_day);
    for (int i = 0; i < 100'000; ++i) {
        known.add(std::to_string(i) + ".example", some_day + i);
        if (i % 100 == 0) known.add("daily.example", some_day + i);
    }
    EXPECT_LE(std::filesystem::file_size(path()), 16 + KnownDestinations::places * 16);
    std::size_t left = 0;
    for (int i = 0; i < 100'000; ++i) left += known.contains(std::to_string(i) + ".example") ? 1 : 0;
    EXPECT_LE(left, KnownDestinations::places);
    EXPECT_GT(left, KnownDestinations::places * 9 / 10);
}

TEST_F(KnownDestinationsTest, ContentsThatMakeNoSenseAreNoTable) {
    for (const std::string& content :
         {std::string(), std::string("short"), std::string(1'000'000, '\xff'), std::string(5000, '\0'),
          "RELDEST1" + std::string(600'000, 'x'), "RELDEST1" + std::string(600'000, '\0')}) {
        std::ofstream(path(), std::ios::binary | std::ios::trunc) << content;
        KnownDestinations known = table();
        EXPECT_FALSE(known.contains("example.org"));
        known.add("example.org", some_day);
        EXPECT_TRUE(table().contains("example.org"));
    }
}

TEST_F(KnownDestinationsTest, OneDamagedRecordIsForgotten) {
    table().add("example.org", some_day);
    std::fstream file(path(), std::ios::in | std::ios::out | std::ios::binary);
    std::string all((std::istreambuf_iterator<char>(file)), {});
    const std::size_t at = all.find_first_not_of('\0', 16);
    ASSERT_NE(at, std::string::npos);
    file.clear();
    file.seekp(static_cast<std::streamoff>(at));
    file.put(static_cast<char>(all[at] ^ 1));
    file.close();
    EXPECT_FALSE(table().contains("example.org"));
}

TEST_F(KnownDestinationsTest, WritesToNothingButAFileOfItsOwn) {
    const std::string other = queue.home().path("control/other");
    std::ofstream(other) << "precious";
    for (const auto make : {::symlink, ::link}) {
        std::filesystem::remove(path());
        ASSERT_EQ(make(other.c_str(), path().c_str()), 0);
        table().add("example.org", some_day);
        EXPECT_EQ(std::filesystem::file_size(other), 8U);
        EXPECT_FALSE(table().contains("example.org"));
    }
    std::filesystem::remove(path());
    ASSERT_EQ(::mkfifo(path().c_str(), 0600), 0);
    KnownDestinations known = table();
    known.add("example.org", some_day);
    EXPECT_TRUE(known.contains("example.org"));
}

}  // namespace
}  // namespace relais::send
