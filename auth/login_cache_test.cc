#include "auth/login_cache.h"

#include <gtest/gtest.h>

namespace relais::auth {
namespace {

using namespace std::chrono_literals;
const Clock::time_point first_login = Clock::now();

TEST(LoginCache, KnowsTheLoginForItsLifetimeOnly) {
    LoginCache cache(60s);
    EXPECT_FALSE(cache.knows("a@b", "192.0.2.1", "sesame", first_login));
    cache.add("a@b", "192.0.2.1", "sesame", first_login);
    EXPECT_TRUE(cache.knows("a@b", "192.0.2.1", "sesame", first_login + 59s));
    cache.add("a@b", "192.0.2.1", "sesame", first_login + 59s);  // does not begin anew
    EXPECT_FALSE(cache.knows("a@b", "192.0.2.1", "sesame", first_login + 60s));
    cache.add("a@b", "192.0.2.1", "sesame", first_login + 60s);
    EXPECT_TRUE(cache.knows("a@b", "192.0.2.1", "sesame", first_login + 61s));
}

TEST(LoginCache, NothingElseIsKnown) {
    LoginCache cache(60s);
    cache.add("a@b", "192.0.2.1", "sesame", first_login);
    EXPECT_FALSE(cache.knows("a@b", "192.0.2.1", "sesam", first_login));
    EXPECT_FALSE(cache.knows("a@", "192.0.2.1", "bsesame", first_login));
    EXPECT_FALSE(cache.knows("c@b", "192.0.2.1", "sesame", first_login));
    EXPECT_FALSE(cache.knows("a@b", "192.0.2.2", "sesame", first_login));
    EXPECT_TRUE(cache.knows("a@b", "192.0.2.1", "sesame", first_login));
    cache.clear();
    EXPECT_FALSE(cache.knows("a@b", "192.0.2.1", "sesame", first_login));
}

TEST(LoginCache, LifetimeZeroKeepsNothing) {
    LoginCache cache(0s);
    cache.add("a@b", "192.0.2.1", "sesame", first_login);
    EXPECT_EQ(cache.size(), 0U);
}

TEST(LoginCache, IsBoundedAndDropsTheOldest) {
    LoginCache cache(60s, 10);
    for (int i = 0; i < 100; ++i) cache.add(std::to_string(i), "192.0.2.1", "x", first_login + i * 1ms);
    EXPECT_LE(cache.size(), 10U);
    EXPECT_TRUE(cache.knows("99", "192.0.2.1", "x", first_login + 1s));
    EXPECT_FALSE(cache.knows("89", "192.0.2.1", "x", first_login + 1s));
}

}  // namespace
}  // namespace relais::auth
