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
