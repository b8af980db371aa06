#include "auth/failures.h"

#include <gtest/gtest.h>

namespace relais::auth {
namespace {

using namespace std::chrono_literals;
const Clock::time_point start = Clock::now();

TEST(ClientOf, OneIPv6CustomerIsOneClient) {
    EXPECT_EQ(client_of("192.0.2.1"), "192.0.2.1");
    EXPECT_EQ(client_of("::ffff:192.0.2.1"), "192.0.2.1");
    EXPECT_EQ(client_of("2001:db8:1:2:3::4"), client_of("2001:DB8:1:2:ffff::"));
    EXPECT_NE(client_of("2001:db8:1:2::1"), client_of("2001:db8:1:3::1"));
    EXPECT_EQ(client_of(""), "");
}

TEST(SiteOf, IsA48OfIPv6) {
    EXPECT_EQ(site_of("2001:db8:1:2:3::4"), "2001:db8:1::/48");
    EXPECT_EQ(site_of("2001:db8:1:ffff::"), "2001:db8:1::/48");
    EXPECT_EQ(site_of("192.0.2.1"), "");
    EXPECT_EQ(site_of("::ffff:192.0.2.1"), "");
    EXPECT_EQ(site_of("nonsense"), "");
}

TEST(Failures, CountAndAreForgotten) {
    Failures failures(10min);
    EXPECT_EQ(failures.count("a", start), 0U);
    EXPECT_EQ(failures.add("a", start), 1U);
    EXPECT_EQ(failures.add("a", start + 9min), 2U);
    EXPECT_EQ(failures.count("a", start + 18min), 2U);
    EXPECT_EQ(failures.count("b", start), 0U);
    EXPECT_EQ(failures.count("a", start + 19min), 0U);
    EXPECT_EQ(failures.add("a", start + 19min), 1U);
}

TEST(Failures, ABotnetDoesNotFillTheMemoryAndTheLatestStay) {
    Failures failures(10min, 100);
    for (int i = 0; i < 1000; ++i) failures.add(std::to_string(i), start + i * 1ms);
    EXPECT_LE(failures.size(), 100U);
    EXPECT_EQ(failures.count("999", start + 1s), 1U);
    EXPECT_EQ(failures.count("0", start + 1s), 0U);
}

TEST(Failures, WhoHasFailedOftenIsNotPushedOut) {
    Failures failures(10min, 100);
    for (int i = 0; i < 5; ++i) failures.add("guesser", start);
    for (int i = 0; i < 100000; ++i) failures.add(std::to_string(i), start + i * 1ms);
    EXPECT_EQ(failures.count("guesser", start + 100s), 5U);
    // What is over goes before what is not.
    for (int i = 0; i < 200; ++i) failures.add("later " + std::to_string(i), start + 11min + i * 1ms);
    EXPECT_EQ(failures.count("later 199", start + 12min), 1U);
    EXPECT_EQ(failures.count("guesser", start + 12min), 0U);
}

TEST(Failures, TheSameAttemptAgainCountsOnce) {
    Failures failures(10min);
    EXPECT_EQ(failures.add("a", start, 7), 1U);
    EXPECT_EQ(failures.add("a", start, 7), 1U);
    EXPECT_EQ(failures.add("a", start, 8), 2U);
    EXPECT_EQ(failures.add("a", start, 7), 3U);
    EXPECT_EQ(failures.add("a", start + 10min, 7), 1U);
}

TEST(Failures, WithoutRoomNobodyIsForgotten) {
    Failures failures(10min, 2);
    failures.add("a", start);
    failures.add("b", start);
    EXPECT_EQ(failures.add_if_room("c", start), 0U);
    EXPECT_EQ(failures.add_if_room("a", start), 2U);
    EXPECT_EQ(failures.count("b", start), 1U);
}

TEST(Failures, AtOneMomentTheyAreForgottenTogether) {
    Failures failures(10min, 100);
    for (int i = 0; i < 1000; ++i) failures.add(std::to_string(i), start);
    EXPECT_LE(failures.size(), 100U);
}

TEST(FailureDelay, GrowsAndIsBounded) {
    EXPECT_EQ(failure_delay(1), 1s);
    EXPECT_EQ(failure_delay(2), 2s);
    EXPECT_EQ(failure_delay(5), 16s);
    EXPECT_EQ(failure_delay(4000000000U), 16s);
}

}  // namespace
}  // namespace relais::auth
