#include "send/schedule.h"

#include <gtest/gtest.h>

namespace relais::send {
namespace {

TEST(Schedule, QuadraticFromBirth) {
    // Tries of a remote message that is always tried when it is due: 0, 400, 1600, 3600 ... after its birth.
    std::vector<std::int64_t> tries{0};
    for (int i = 0; i < 5; ++i)
        tries.push_back(tries.back() + seconds_to_next_try(1000, 1000 + tries.back(), Channel::remote));
    EXPECT_EQ(tries, (std::vector<std::int64_t>{0, 400, 1600, 3600, 6400, 10000}));
    EXPECT_EQ(seconds_to_next_try(1000, 1000, Channel::local), 100);
    EXPECT_EQ(seconds_to_next_try(1000, 1100, Channel::local), 300);
    EXPECT_EQ(seconds_to_next_try(1000, 500, Channel::remote), 400);
}

TEST(Schedule, AlwaysLater) {
    for (std::int64_t age = 0; age < 700'000; age += 137)
        EXPECT_GT(seconds_to_next_try(0, age, Channel::local), 0);
}

TEST(Schedule, AfterAStart) {
    EXPECT_EQ(seconds_to_first_try(1000, 1599, 12345), 0);
    std::int64_t largest = 0;
    for (std::uint64_t random = 0; random < 10'000; ++random)
        largest = std::max(largest, seconds_to_first_try(1000, 100'000, random));
    EXPECT_EQ(largest, 599);
}

TEST(ClockWatch, JumpsDoNotAgeMail) {
    ClockWatch watch(1'000'000, 50);
    EXPECT_EQ(watch.observe(1'000'010, 60), 0);
    EXPECT_EQ(watch.age(999'000, 1'000'010), 1010);
    EXPECT_EQ(watch.observe(1'900'010, 61), 899'999);
    EXPECT_EQ(watch.age(999'000, 1'900'010), 1011);
    // Born after the jump: its age is what the clock says.
    EXPECT_EQ(watch.age(1'900'010, 1'900'110), 100);
    // The clock is set back: nothing is added any more.
    EXPECT_EQ(watch.observe(1'000'020, 70), -899'999);
    EXPECT_EQ(watch.age(999'000, 1'000'020), 1020);
}

// What was born while the clock stood in 1970, and what was there before.
TEST(ClockWatch, ABootInThePastAgesNothing) {
    constexpr std::int64_t today = 1'700'000'000, day = 86'400;
    ClockWatch first(today, 50);
    ClockWatch booted(1000, 10);
    EXPECT_EQ(booted.resume(first.memory(today), 1000), 1000 - today);
    EXPECT_EQ(booted.age(today - day, 1000), 0);
    EXPECT_EQ(booted.observe(today + 400, 110), today + 400 - 1100);
    EXPECT_LE(booted.age(1050, today + 400), 400);
    EXPECT_NEAR(static_cast<double>(booted.age(today - day, today + 400)), day + 400, 400);
    // The next one knows it too.
    ClockWatch next(today + 500, 5);
    EXPECT_EQ(next.resume(booted.memory(today + 400), today + 500), 0);
    EXPECT_LE(next.age(1050, today + 500), 500);
    EXPECT_GE(next.age(today - day, today + 500), day);
}

TEST(ClockWatch, ABootInTheFutureOrALongRestAgesNothing) {
    constexpr std::int64_t today = 1'700'000'000, day = 86'400;
    ClockWatch first(today, 50);
    ClockWatch booted(today + 3650 * day, 10);
    EXPECT_EQ(booted.resume(first.memory(today), today + 3650 * day), 3650 * day);
    EXPECT_EQ(booted.age(today - day, today + 3650 * day), day);
    // Set right again.
    booted.observe(today + 100, 110);
    EXPECT_EQ(booted.age(today - day, today + 100), day + 100);
    for (const char* nonsense : {"", "seen", "seen x\n", "jump 1 2\n", "\n\n\n"}) {
        ClockWatch watch(today, 10);
        EXPECT_EQ(watch.resume(nonsense, today), 0);
        EXPECT_EQ(watch.age(today - day, today), day);
    }
}

TEST(ClockWatch, SmallStepsAddUp) {
    ClockWatch watch(1000, 0);
    EXPECT_EQ(watch.observe(1050, 10), 0);
    EXPECT_EQ(watch.observe(1100, 20), 80);
}

}  // namespace
}  // namespace relais::send
