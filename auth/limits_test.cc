#include "auth/limits.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace relais::auth {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t today = 20000LL * 86400;
constexpr auto home_address = "192.0.2.1";
constexpr auto strange_address = "198.51.100.9";

class LoginLimitsTest : public testing::Test {
  protected:
    Asker asker(const std::string& account, std::string_view address) {
        return limits.asker(account, address, today);
    }
    void guess(const std::string& account, std::string_view address, unsigned times) {
        for (unsigned i = 0; i < times; ++i)
            limits.fail(asker(account, address), "guess " + std::to_string(++guesses), now);
    }
    // Whether the next such login is looked at one at a time somewhere.
    bool slow(const std::string& account, std::string_view address) {
        const auto lines = limits.lines_of(asker(account, address));
        return std::any_of(lines.begin(), lines.end(),
                           [&](const Line& line) { return limits.at_once(line, now) == 1; });
    }

    LoginLimits limits{FamiliarNetworks::in_memory()};
    Clock::time_point now = Clock::now();
    unsigned guesses = 0;
};

TEST_F(LoginLimitsTest, AnAddressIsSlowedFromTheThirdFailureOn) {
    guess("anna", strange_address, 2);
    EXPECT_FALSE(slow("bert", strange_address));
    EXPECT_EQ(limits.fail(asker("clara", strange_address), "x", now).delay, 4s);
    EXPECT_TRUE(slow("bert", strange_address));
    EXPECT_FALSE(slow("bert", home_address));
    now += 10min;
    EXPECT_FALSE(slow("bert", strange_address));
}

TEST_F(LoginLimitsTest, AStrangerBehindTheSameAddressLocksOutNobodyButWhomHeGuessesAt) {
    for (const char* account : {"anna", "bert"}) limits.succeed(asker(account, home_address), today);
    guess("anna", home_address, 50);
    EXPECT_FALSE(slow("bert", home_address));
    EXPECT_TRUE(slow("anna", home_address));
    EXPECT_TRUE(slow("clara", home_address));  // has never logged in from there
    EXPECT_FALSE(slow("bert", "192.0.2.77"));
}

TEST_F(LoginLimitsTest, NobodyIsLockedOutOfHisAccountFromElsewhere) {
    limits.succeed(asker("anna", home_address), today);
    for (int i = 0; i < 100; ++i) guess("anna", "198.51.100." + std::to_string(i), 1);
    EXPECT_FALSE(slow("anna", home_address));
    EXPECT_TRUE(limits.remembers(asker("anna", home_address), now));
    EXPECT_TRUE(slow("anna", "203.0.113.1"));  // of the botnet, or anna on a journey
    EXPECT_FALSE(slow("bert", "203.0.113.1"));
}

TEST_F(LoginLimitsTest, AnAccountIsSlowedFromTheTenthFailureOnWhereverTheyComeFrom) {
    for (int i = 0; i < 9; ++i) guess("anna", "198.51.100." + std::to_string(i), 1);
    EXPECT_FALSE(slow("anna", "203.0.113.1"));
    guess("anna", "198.51.100.10", 1);
    EXPECT_TRUE(slow("anna", "203.0.113.1"));
}

TEST_F(LoginLimitsTest, WhatWasTurnedAwayCountsForTheAccount) {
    for (int i = 0; i < 9; ++i) EXPECT_EQ(limits.turn_away(asker("anna", strange_address), now), i + 1U);
    EXPECT_FALSE(slow("anna", "203.0.113.1"));
    limits.turn_away(asker("anna", strange_address), now);
    EXPECT_TRUE(slow("anna", "203.0.113.1"));
}

TEST_F(LoginLimitsTest, BeingTurnedAwayPushesOutNobody) {
    guess("anna", strange_address, 10);
    for (int i = 0; i < 200000; ++i) limits.turn_away(asker(std::to_string(i), strange_address), now);
    EXPECT_TRUE(slow("anna", "203.0.113.1"));
}

TEST_F(LoginLimitsTest, TheOwnerOfA48HasNoEndOfFreeGuesses) {
    const auto address = [](int i) {
        char text[40];
        std::snprintf(text, sizeof text, "2001:db8:1:%x::1", i);
        return std::string(text);
    };
    // One account: its own budget.
    for (int i = 0; i < 10; ++i) guess("anna", address(i), 1);
    EXPECT_TRUE(slow("anna", address(1000)));
    EXPECT_FALSE(slow("bert", address(1000)));
    // A different one each time: the site's.
    for (int i = 10; i < 32; ++i) guess("account " + std::to_string(i), address(i), 1);
    EXPECT_TRUE(slow("bert", address(1000)));
    EXPECT_EQ(limits.fail(asker("clara", address(1000)), "x", now).delay, 8s);
    EXPECT_FALSE(slow("bert", "2001:db8:2::1"));
    limits.succeed(asker("bert", address(1000)), today);
    EXPECT_FALSE(slow("bert", address(1000)));
}

TEST_F(LoginLimitsTest, TheSameWrongPasswordAgainIsNoFurtherGuess) {
    limits.succeed(asker("anna", home_address), today);
    for (int i = 0; i < 50; ++i) limits.fail(asker("anna", home_address), "last year's", now);
    EXPECT_FALSE(slow("anna", home_address));
    EXPECT_TRUE(limits.remembers(asker("anna", home_address), now));
    EXPECT_TRUE(slow("bert", home_address));
}

TEST_F(LoginLimitsTest, ARememberedLoginIsNoOracleForTheNextRoom) {
    limits.succeed(asker("anna", home_address), today);
    guess("anna", home_address, 2);
    EXPECT_TRUE(limits.remembers(asker("anna", home_address), now));
    guess("anna", home_address, 1);
    EXPECT_FALSE(limits.remembers(asker("anna", home_address), now));
    EXPECT_TRUE(limits.remembers(asker("bert", home_address), now));
}

TEST_F(LoginLimitsTest, FrontEndsHaveNoLineOfTheirOwn) {
    limits.set_trusted(opensmtp::NetworkSet({"127.0.0.1", "2001:db8:1::/48"}));
    for (const char* front_end : {"127.0.0.1", "2001:db8:1::5"}) {
        for (int i = 0; i < 100; ++i) guess("account " + std::to_string(i), front_end, 1);
        EXPECT_FALSE(slow("bert", front_end));
        guess("anna", front_end, 3);
        EXPECT_TRUE(slow("anna", front_end));
        const auto failure = limits.fail(asker("clara", front_end), "x", now);
        EXPECT_EQ(failure.network, 0U);
        EXPECT_EQ(failure.here, 1U);
    }
    EXPECT_FALSE(slow("bert", "2001:db8:1::6"));
    guess("bert", "127.0.0.1", 10);
    EXPECT_TRUE(slow("bert", "2001:db8:1::6"));  // as it has never logged in there
}

TEST_F(LoginLimitsTest, ABurstIsBoundedToo) {
    const auto at_once = [&](Budget budget) {
        for (const Line& line : limits.lines_of(asker("anna", "2001:db8::1")))
            if (line.budget == budget) return limits.at_once(line, now);
        return 0U;
    };
    EXPECT_EQ(at_once(Budget::pair), 8U);
    EXPECT_EQ(at_once(Budget::network), 16U);
    EXPECT_EQ(at_once(Budget::site), 32U);
    EXPECT_EQ(at_once(Budget::account), 16U);
    guess("anna", "2001:db8::1", 1);
    EXPECT_EQ(at_once(Budget::pair), 7U);
    EXPECT_EQ(at_once(Budget::network), 15U);
    EXPECT_EQ(at_once(Budget::site), 31U);
    EXPECT_EQ(at_once(Budget::account), 15U);
}

TEST_F(LoginLimitsTest, LinesAreInTheOrderInWhichTheyArePassed) {
    for (const char* address : {home_address, "2001:db8::1", ""}) {
        const auto lines = limits.lines_of(asker("anna", address));
        EXPECT_TRUE(std::is_sorted(lines.begin(), lines.end()));
        EXPECT_EQ(std::set<Line>(lines.begin(), lines.end()).size(), lines.size());
    }
    EXPECT_EQ(limits.lines_of(asker("", strange_address)).size(), 2U);
}

}  // namespace
}  // namespace relais::auth
