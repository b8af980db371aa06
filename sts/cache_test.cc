#include "sts/cache.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace relais::sts {
namespace {

constexpr std::int64_t now = 1'800'000'000;

class StsCache : public ::testing::Test {
  protected:
    StsCache() {
        char path[] = "/tmp/rlsts.XXXXXX";
        directory_ = ::mkdtemp(path);
    }
    ~StsCache() override { std::filesystem::remove_all(directory_); }
    static Entry entry(std::int64_t age = 1000, std::int64_t at = now) {
        return {{Mode::enforce, 1000, {"mx.example.org"}}, "1", at, at + age, 0};
    }
    std::string directory_;
};

TEST_F(StsCache, IsThereAfterARestart) {
    {
        Cache cache(directory_, 10, now);
        cache.put("example.org", entry(), now);
    }
    Cache cache(directory_, 10, now + 999);
    const Entry* found = cache.find("example.org", now + 999);
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->policy, entry().policy);
    EXPECT_EQ(found->id, "1");
    EXPECT_EQ(cache.find("other.example", now), nullptr);
    EXPECT_EQ(cache.find("example.org", now + 1000), nullptr);
    EXPECT_TRUE(std::filesystem::is_empty(directory_));
}

TEST_F(StsCache, WhatHasEndedOrIsNoneIsRemoved) {
    {
        Cache cache(directory_, 10, now);
        cache.put("ended.example", entry(), now);
        cache.put("future.example", entry(1000, now + 5000), now);
        cache.put("forever.example", entry(2 * std::int64_t{longest_age}), now);
        std::ofstream(directory_ + "/torn.example") << "1\n5 6";
        std::ofstream(directory_ + "/nodomain") << encode_entry(entry());
    }
    const Cache cache(directory_, 10, now + 2000);
    EXPECT_EQ(cache.size(), 0U);
    EXPECT_TRUE(std::filesystem::is_empty(directory_));
}

TEST_F(StsCache, WhatEndsFirstGivesWay) {
    Cache cache(directory_, 2, now);
    cache.put("a.example", entry(500), now);
    cache.put("b.example", entry(1000), now);
    cache.put("c.example", entry(800), now);
    EXPECT_EQ(cache.size(), 2U);
    EXPECT_EQ(cache.find("a.example", now), nullptr);
    EXPECT_NE(cache.find("b.example", now), nullptr);
    cache.put("c.example", entry(900), now);
    EXPECT_EQ(cache.size(), 2U);
}

TEST_F(StsCache, IsFetchedAnewBeforeItEnds) {
    Cache cache(directory_, 10, now);
    cache.put("a.example", entry(1000), now);
    EXPECT_FALSE(cache.due(now + 499));
    EXPECT_EQ(cache.due(now + 500), "a.example");
    EXPECT_FALSE(cache.due(now + 501));
    cache.put("a.example", entry(400'000, now + 600), now + 600);
    EXPECT_FALSE(cache.due(now + 600 + 86399));
    EXPECT_EQ(cache.due(now + 600 + 86400), "a.example");
    EXPECT_EQ(cache.due(now + 600 + 86400 + 3600), "a.example");
    // Nobody has asked for it in a month.
    cache.put("a.example", entry(20'000'000), now);
    EXPECT_FALSE(cache.due(now + 31 * std::int64_t{86400}));
}

TEST_F(StsCache, AFileBackAndForth) {
    Entry one = entry();
    EXPECT_EQ(decode_entry(encode_entry(one)), one);
    for (const char* text :
         {"", "1\n", "1\n2\n", "1\n2 3\n", "1\n2 x\nversion: STSv1\nmode: none\nmax_age: 1\n",
          "1\n2 3 4\nversion: STSv1\nmode: none\nmax_age: 1\n"})
        EXPECT_FALSE(decode_entry(text)) << text;
}

}  // namespace
}  // namespace relais::sts
