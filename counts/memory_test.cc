#include "counts/memory.h"

#include <gtest/gtest.h>

namespace relais::counts {
namespace {

constexpr Memory::Time start = 1'800'000'000;

Count count_of(std::string key, std::uint32_t amount = 1, std::uint32_t limit = 10,
               std::uint32_t window = 60) {
    return {std::move(key), amount, limit, window};
}
constexpr std::uint32_t delay = 300;
Mark mark_of(std::string key) {
    return {std::move(key), delay, 3600, 86400};
}

TEST(CountsMemory, UpToTheLimitThereIsRoomAndThenLater) {
    Memory memory;
    for (int i = 0; i < 10; ++i) EXPECT_EQ(memory.count({count_of("a")}, start).wait, 0U);
    const std::uint32_t wait = memory.count({count_of("a")}, start).wait;
    EXPECT_GT(wait, 60U);
    EXPECT_LE(wait, 70U);
    EXPECT_EQ(memory.count({count_of("b")}, start).wait, 0U);
    EXPECT_NE(memory.count({count_of("a")}, start + wait - 1).wait, 0U);
    EXPECT_EQ(memory.count({count_of("a")}, start + wait).wait, 0U);
    EXPECT_EQ(memory.count({count_of("a", 10)}, start + 500).wait, 0U);
}

TEST(CountsMemory, WhoIsRefusedIsNotCountedAndNothingBesideHim) {
    Memory memory;
    memory.count({count_of("a", 10)}, start);
    const Verdict verdict = memory.count({count_of("b"), count_of("a")}, start);
    EXPECT_NE(verdict.wait, 0U);
    EXPECT_EQ(verdict.number, 1U);
    EXPECT_EQ(memory.count({count_of("b", 10)}, start).wait, 0U);
}

TEST(CountsMemory, WhatIsHeldStaysUntilItIsReleased) {
    Memory memory({.counters = 1, .fresh = 1, .passed = 1});
    EXPECT_TRUE(memory.hold("held:login:a@x", start));
    EXPECT_FALSE(memory.hold("held:login:a@x", start + 1));
    memory.count({count_of("b")}, start);
    memory.count({count_of("c")}, start);
    EXPECT_EQ(memory.forget(""), 1U);
    EXPECT_TRUE(memory.is_held("held:login:a@x"));
    EXPECT_FALSE(memory.is_held("held:login:a@x.org"));
    Memory after;
    after.load(memory.save());
    EXPECT_TRUE(after.is_held("held:login:a@x"));
    EXPECT_EQ(after.list("held:", start + 60), "held:login:a@x is held for 60 s\n");
    EXPECT_FALSE(after.release("held:login:a@"));
    EXPECT_TRUE(after.release("held:login:a@x"));
    EXPECT_FALSE(after.release("held:login:a@x"));
    EXPECT_FALSE(after.is_held("held:login:a@x"));
}

TEST(CountsMemory, AskingAddsNothing) {
    Memory memory;
    for (int i = 0; i < 100; ++i) EXPECT_EQ(memory.count({count_of("a", 0)}, start).wait, 0U);
    EXPECT_EQ(memory.size(), 0U);
    EXPECT_NE(memory.count({count_of("a", 1, 0)}, start).wait, 0U);
    EXPECT_NE(memory.count({count_of("a", 11)}, start).wait, 0U);
}

TEST(CountsMemory, AClockThatWasSetBackHoldsNobodyUp) {
    Memory memory;
    memory.count({count_of("a", 10)}, start);
    EXPECT_EQ(memory.count({count_of("a", 10)}, start - 1000).wait, 0U);
}

TEST(CountsMemory, AMarkPassesAfterItsDelayAndStays) {
    Memory memory;
    EXPECT_EQ(memory.seen(mark_of("t"), start), delay);
    EXPECT_EQ(memory.mark(mark_of("t"), start), delay);
    EXPECT_EQ(memory.mark(mark_of("t"), start + 100), 200U);
    EXPECT_EQ(memory.seen(mark_of("t"), start + 200), 100U);
    EXPECT_EQ(memory.mark(mark_of("t"), start + delay), 0U);
    EXPECT_EQ(memory.mark(mark_of("t"), start + delay + 80000), 0U);
    EXPECT_EQ(memory.seen(mark_of("t"), start + delay + 160000), 0U);
    EXPECT_EQ(memory.mark(mark_of("t"), start + delay + 180000), delay);
}

TEST(CountsMemory, WhoNeverComesBackIsForgotten) {
    Memory memory;
    memory.mark(mark_of("t"), start);
    EXPECT_EQ(memory.mark(mark_of("t"), start + 3600), delay);
}

TEST(CountsMemory, IsBoundedAndKeepsWhatHasPassed) {
    Memory memory({5, 5, 5});
    Mark known = mark_of("known");
    known.delay = 0;
    EXPECT_EQ(memory.mark(known, start), 0U);
    for (int i = 0; i < 100; ++i) {
        memory.mark(mark_of("t" + std::to_string(i)), start);
        memory.count({count_of("c" + std::to_string(i))}, start);
    }
    EXPECT_EQ(memory.size(), 11U);
    EXPECT_EQ(memory.seen(known, start), 0U);
}

TEST(CountsMemory, WhatIsSavedIsReadAgain) {
    Memory memory;
    memory.count({count_of("a", 10)}, start);
    memory.mark(mark_of("t"), start);
    Mark known = mark_of("known");
    known.delay = 0;
    memory.mark(known, start);
    EXPECT_TRUE(memory.changed());
    Memory again;
    again.load(memory.save());
    EXPECT_FALSE(memory.changed());
    EXPECT_NE(again.count({count_of("a")}, start).wait, 0U);
    EXPECT_EQ(again.mark(mark_of("t"), start + delay), 0U);
    EXPECT_EQ(again.seen(known, start), 0U);
    Memory spoilt;
    spoilt.load("C 1 2 3\nX 1 2 3 4 k\nC x 2 3 4 k\n\nC 1 2 3 4 \nF 1 2 3 4 k");
    EXPECT_EQ(spoilt.size(), 1U);
}

TEST(CountsMemory, IsListedAndForgottenByTheBeginningOfKeys) {
    Memory memory;
    memory.count({count_of("rate:a", 3)}, start);
    memory.mark(mark_of("grey:t"), start);
    EXPECT_EQ(memory.list("", start + 5),
              "rate:a 3 in 60 s\ngrey:t waits, first seen 5 s ago, last 5 s ago\n");
    EXPECT_EQ(memory.list("grey:", start), "grey:t waits, first seen 0 s ago, last 0 s ago\n");
    EXPECT_EQ(memory.forget("rate:"), 1U);
    EXPECT_EQ(memory.size(), 1U);
    EXPECT_EQ(memory.forget(""), 1U);
}

}  // namespace
}  // namespace relais::counts
