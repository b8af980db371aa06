#include "http/budgets.h"

#include <gtest/gtest.h>

namespace relais::http {
namespace {

unsigned served(Budgets& budgets, const std::string& client, unsigned asked, Clock::time_point now) {
    unsigned count = 0;
    for (unsigned i = 0; i < asked; ++i) count += budgets.take(client, now) ? 1 : 0;
    return count;
}

TEST(HttpBudgets, EachClientHasItsOwn) {
    Budgets budgets(10);
    const auto now = Clock::now();
    EXPECT_EQ(served(budgets, "a", 100, now), 20U);
    EXPECT_EQ(served(budgets, "b", 100, now), 20U);
    EXPECT_EQ(served(budgets, "a", 100, now + Seconds(1)), 10U);
    EXPECT_EQ(served(budgets, "a", 100, now + Seconds(100)), 20U);
}

TEST(HttpBudgets, WhoFillsTheTableTakesNothingFromThoseWhoCome) {
    Budgets budgets(10, 50);
    const auto now = Clock::now();
    EXPECT_EQ(served(budgets, "busy", 100, now), 20U);
    for (unsigned i = 0; i < 1000; ++i) {
        EXPECT_TRUE(budgets.take("x" + std::to_string(i), now));
        EXPECT_FALSE(budgets.take("busy", now)) << "who goes on keeps its place";
    }
    EXPECT_EQ(budgets.size(), 50U);
    EXPECT_EQ(served(budgets, "new", 100, now), 20U);
}

}  // namespace
}  // namespace relais::http
