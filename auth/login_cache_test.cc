#include "auth/login_cache.h"

#include <gtest/gtest.h>

namespace relais::auth {
namespace {

using namespace std::chrono_literals;
const Clock::time_point start = Clock::now();

TEST(LoginCache, KnowsTheLoginForItsLifetimeOnly) {
    LoginCache cache(60s);
    EXPECT_FALSE(cache.knows("a@b", "sesame", start));
    cache.add("a@b", "sesame", start);
    EXPECT_TRUE(cache.knows("a@b", "sesame", start + 59s));
    cache.add("a@b", "sesame", start + 59s);  // does not begin anew
    EXPECT_FALSE(cache.knows("a@b", "sesame", start + 60s));
    cache.add("a@b", "sesame", start + 60s);
    EXPECT_TRUE(cache.knows("a@b", "sesame", start + 61s));
}

TEST(LoginCache, NothingElseIsKnown) {
    LoginCache cache(60s);
    cache.add("a@b", "sesame", start);
    EXPECT_FALSE(cache.knows("a@b", "sesam", start));
    EXPECT_FALSE(cache.knows("a@", "bsesame", start));
    EXPECT_FALSE(cache.knows("c@b", "sesame", start));
    cache.clear();
    EXPECT_FALSE(cache.knows("a@b", "sesame", start));
}

TEST(LoginCache, LifetimeZeroKeepsNothing) {
    LoginCache cache(0s);
    cache.add("a@b", "sesame", start);
    EXPECT_EQ(cache.size(), 0U);
}

TEST(LoginCache, IsBoundedAndDropsTheOldest) {
    LoginCache cache(60s, 10);
    for (int i = 0; i < 100; ++i) cache.add(std::to_string(i), "x", start + i * 1ms);
    EXPECT_LE(cache.size(), 10U);
    EXPECT_TRUE(cache.knows("99", "x", start + 1s));
    EXPECT_FALSE(cache.knows("89", "x", start + 1s));
}

}  // namespace
}  // namespace relais::auth
