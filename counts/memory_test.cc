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
std::string hard(const std::string& login) {
    return "rate:recipients:60:login-hold:" + login;
}
bool held_after_one(Memory& memory, const std::string& login) {
    memory.count({count_of(hard(login))}, start);
    return memory.hold({hard(login), 0, 0, 60}, start);
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
    EXPECT_TRUE(held_after_one(memory, "a@x"));
    EXPECT_FALSE(held_after_one(memory, "a@x"));
    memory.count({count_of("b")}, start);
    memory.count({count_of("c")}, start);
    EXPECT_EQ(memory.forget(""), 1U);
    EXPECT_TRUE(memory.is_held("held:login:a@x"));
    EXPECT_FALSE(memory.is_held("held:login:a@x.org"));
    Memory after;
    after.load(memory.save());
    EXPECT_FALSE(after.is_held("held:login:a@x"));
    after.load(memory.save_held());
    EXPECT_TRUE(after.is_held("held:login:a@x"));
    EXPECT_EQ(after.list("held:", start + 60), "held:login:a@x is held for 60 s\n");
    EXPECT_FALSE(after.release("held:login:a@"));
    EXPECT_TRUE(after.release("held:login:a@x"));
    EXPECT_FALSE(after.release("held:login:a@x"));
    EXPECT_FALSE(after.is_held("held:login:a@x"));
}

TEST(CountsMemory, NobodyIsHeldWithoutAFullHardBudgetOfHisOwn) {
    Memory memory;
    const Count budget{hard("a@x"), 0, 1, 60};
    EXPECT_FALSE(memory.hold(budget, start));
    memory.count({count_of(budget.key)}, start);
    EXPECT_FALSE(memory.hold(budget, start));
    memory.count({count_of(budget.key)}, start);
    Count other = budget;
    other.window = 61;
    EXPECT_FALSE(memory.hold(other, start));
    EXPECT_FALSE(memory.hold(budget, start + 200));
    for (const char* key :
         {"rate:recipients:60:login:a@x", "held:login:a@x", "a@x", "grey:a:b:login-hold:a@x"}) {
        memory.count({count_of(key, 9)}, start);
        EXPECT_FALSE(memory.hold({key, 0, 1, 60}, start)) << key;
    }
    EXPECT_FALSE(memory.held_changed());
    EXPECT_TRUE(memory.hold(budget, start));
    EXPECT_TRUE(memory.is_held(held_key("A@x")));
}

TEST(CountsMemory, WhoIsReleasedBeginsAnew) {
    Memory memory;
    const Count messages{"rate:messages:60:login-hold:a@x", 1, 1, 60};
    memory.count({messages}, start);
    memory.count({count_of("rate:messages:60:login:a@x")}, start);
    memory.count({count_of(hard("b@x"))}, start);
    EXPECT_TRUE(held_after_one(memory, "a@x"));
    EXPECT_TRUE(memory.release(held_key("a@x")));
    EXPECT_EQ(memory.count({messages}, start).wait, 0U);
    EXPECT_FALSE(memory.hold({hard("a@x"), 0, 0, 60}, start));
    EXPECT_EQ(memory.list("rate:messages:60:login:", start), "rate:messages:60:login:a@x 1 in 60 s\n");
    EXPECT_TRUE(memory.hold({hard("b@x"), 0, 0, 60}, start));
}

TEST(CountsMemory, WhoIsHeldMakesNoRoomForOthers) {
    Memory memory({.held = 2});
    EXPECT_TRUE(held_after_one(memory, "a@x"));
    EXPECT_TRUE(held_after_one(memory, "b@x"));
    for (int i = 0; i < 10; ++i) EXPECT_FALSE(held_after_one(memory, "invented" + std::to_string(i)));
    EXPECT_TRUE(memory.is_held(held_key("a@x")));
    Memory smaller({.held = 1});
    smaller.load(memory.save_held());
    EXPECT_TRUE(smaller.is_held(held_key("a@x")));
    EXPECT_FALSE(smaller.is_held(held_key("b@x")));
}

TEST(CountsMemory, AVeryLongLoginIsHeldAndReleasedByItsName) {
    Memory memory;
    const std::string login = std::string(240, 'a') + "@example.org";
    const std::string key = make_key("rate:recipients:2678400:login-hold", login);
    memory.count({count_of(key)}, start);
    EXPECT_TRUE(memory.hold({key, 0, 0, 60}, start));
    EXPECT_TRUE(memory.is_held(held_key(login)));
    EXPECT_TRUE(memory.release(held_key(login)));
    EXPECT_EQ(memory.list("rate:", start), "");
}

TEST(CountsMemory, WhatWasNotSavedIsNew) {
    Memory memory;
    EXPECT_TRUE(held_after_one(memory, "a@x"));
    memory.save();
    memory.save_held();
    EXPECT_TRUE(memory.changed());
    EXPECT_TRUE(memory.held_changed());
    memory.held_saved();
    EXPECT_TRUE(memory.changed());
    EXPECT_FALSE(memory.held_changed());
    memory.release(held_key("a@x"));
    EXPECT_TRUE(memory.held_changed());
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
    EXPECT_FALSE(again.changed());
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
