#include "control/rate_limits.h"

#include <gtest/gtest.h>

namespace relais::control {
namespace {

using What = RateLimit::What;
using Whom = RateLimit::Whom;

TEST(RateLimits, ALine) {
    EXPECT_EQ(parse_rate_limit("messages of network 100/3600"),
              (RateLimit{What::messages, Whom::network, 100, 3600}));
    EXPECT_EQ(parse_rate_limit(" Recipients\tof  LOGIN 500/1d "),
              (RateLimit{What::recipients, Whom::login, 500, 86400}));
    EXPECT_EQ(parse_rate_limit("refused of network 0/10m"),
              (RateLimit{What::refused, Whom::network, 0, 600}));
    EXPECT_EQ(parse_rate_limit("messages of domain 1/1h"),
              (RateLimit{What::messages, Whom::domain, 1, 3600}));
    EXPECT_EQ(parse_rate_limit("messages of login 300/1h hold"),
              (RateLimit{What::messages, Whom::login, 300, 3600, true}));
}

TEST(RateLimits, WhatMakesNoSense) {
    for (const char* line :
         {"", "messages", "messages network 1/1", "letters of network 1/1", "messages of host 1/1",
          "messages of network 1", "messages of network x/1", "messages of network 1/0",
          "messages of network 1/32d", "messages of network 1/1w", "refused of domain 1/1h",
          "messages of network 1/1 now", "messages of network 1/1 hold", "messages of login 1/1 hold hold",
          "messages of login 0/1h hold"})
        EXPECT_FALSE(parse_rate_limit(line)) << line;
    EXPECT_EQ(parse_rate_limits({"nothing", "messages of network 1/1"}).size(), 1U);
    EXPECT_EQ(parse_rate_limits(std::vector<std::string>(50, "messages of network 1/1")).size(), 16U);
}

}  // namespace
}  // namespace relais::control
