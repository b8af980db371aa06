#include "control/milters.h"

#include <gtest/gtest.h>

namespace relais::control {
namespace {

TEST(Milters, PlacesAreReadAsMiltersSayThem) {
    const auto inet = parse_milter("inet:8891@127.0.0.1");
    ASSERT_TRUE(inet);
    EXPECT_EQ(inet->host, "127.0.0.1");
    EXPECT_EQ(inet->port, 8891);
    EXPECT_EQ(inet->when_gone, Milter::WhenGone::tempfail);
    const auto six = parse_milter("inet6:1@[::1] reject");
    ASSERT_TRUE(six);
    EXPECT_EQ(six->host, "::1");
    EXPECT_TRUE(six->v6_only);
    EXPECT_EQ(parse_milter("unix:/run/m.sock accept connect=5 reply=7")->path, "/run/m.sock");
    EXPECT_EQ(parse_milter("local:/m reply=7")->reply, std::chrono::seconds(7));
    EXPECT_EQ(parse_milter("[2001:db8::1]:11332")->host, "2001:db8::1");
    EXPECT_EQ(parse_milter("localhost:11332")->port, 11332);
}

TEST(Milters, WhatMakesNoSenseDoesNotCount) {
    for (const char* line :
         {"", "inet:8891", "inet:0@h", "inet:65536@h", "unix:m", "local:", "h", "h:", ":1", "::1:25",
          "unix:/m drop", "unix:/m connect=0", "unix:/m reply=601", "inet:1@", "inet:x@h"}) {
        EXPECT_FALSE(parse_milter(line)) << line;
        EXPECT_NE(milter_fault(line), "") << line;
    }
    EXPECT_EQ(milter_fault("unix:/m accept"), "");
    const auto some = parse_milters({"nonsense", "unix:/m tempfial", "unix:/m"});
    ASSERT_EQ(some.size(), 3u);
    // Nobody finds these two: mail waits.
    EXPECT_TRUE(some[0].path.empty() && some[0].host.empty());
    EXPECT_TRUE(some[1].path.empty() && some[1].host.empty());
    EXPECT_EQ(some[1].when_gone, Milter::WhenGone::tempfail);
    EXPECT_EQ(some[2].path, "/m");
    EXPECT_EQ(parse_milters(std::vector<std::string>(40, "unix:/m")).size(), milters_limit + 1);
}

}  // namespace
}  // namespace relais::control
