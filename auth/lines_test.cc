#include "auth/lines.h"

#include <gtest/gtest.h>

namespace relais::auth {
namespace {

using Place = Lines::Place;
using Ids = std::vector<Lines::Id>;

const Line one{Budget::pair, "one"};
const Line two{Budget::network, "two"};
const Line three{Budget::account, "three"};

class LinesTest : public testing::Test {
  protected:
    std::map<Line, unsigned> at_once;  // 1 where nothing is said
    Lines lines{[this](const Line& line) { return at_once.contains(line) ? at_once.at(line) : 1; },
                {.of_line = 3, .of_all = 5}};
};

TEST_F(LinesTest, OneAfterTheOther) {
    EXPECT_EQ(lines.enter(1, {one}), Place::free);
    EXPECT_EQ(lines.enter(2, {one}), Place::waits);
    EXPECT_EQ(lines.enter(3, {one}), Place::waits);
    EXPECT_EQ(lines.enter(4, {two}), Place::free);
    EXPECT_EQ(lines.leave(1), Ids{2});
    EXPECT_FALSE(lines.waits(2));
    EXPECT_TRUE(lines.waits(3));
    EXPECT_EQ(lines.leave(2), Ids{3});
    EXPECT_EQ(lines.leave(3), Ids{});
    EXPECT_EQ(lines.leave(3), Ids{});
    EXPECT_EQ(lines.leave(4), Ids{});
    EXPECT_EQ(lines.size(), 0U);
}

TEST_F(LinesTest, HowManyTogetherIsAskedAnewEachTime) {
    at_once[one] = 3;
    for (Lines::Id id = 1; id <= 3; ++id) EXPECT_EQ(lines.enter(id, {one}), Place::free);
    EXPECT_EQ(lines.enter(4, {one}), Place::waits);
    at_once[one] = 1;
    EXPECT_EQ(lines.leave(1), Ids{});
    EXPECT_EQ(lines.leave(2), Ids{});
    EXPECT_EQ(lines.leave(3), Ids{4});
    EXPECT_EQ(lines.enter(5, {one}), Place::waits);
    EXPECT_EQ(lines.enter(6, {one}), Place::waits);
    at_once[one] = 2;
    EXPECT_EQ(lines.leave(4), (Ids{5, 6}));
}

TEST_F(LinesTest, WhoIsFreeHasPassedAll) {
    EXPECT_EQ(lines.enter(1, {two}), Place::free);
    EXPECT_EQ(lines.enter(2, {three}), Place::free);
    EXPECT_EQ(lines.enter(3, {one, two, three}), Place::waits);
    EXPECT_EQ(lines.enter(4, {one}), Place::waits);  // 3 is in it and waits in another
    EXPECT_EQ(lines.leave(1), Ids{});
    EXPECT_TRUE(lines.waits(3));
    EXPECT_EQ(lines.leave(2), Ids{3});
    EXPECT_EQ(lines.leave(3), Ids{4});
}

TEST_F(LinesTest, WhoLeavesWhileWaitingGivesBackWhatHeHas) {
    EXPECT_EQ(lines.enter(1, {two}), Place::free);
    EXPECT_EQ(lines.enter(2, {one, two}), Place::waits);
    EXPECT_EQ(lines.enter(3, {one}), Place::waits);
    EXPECT_EQ(lines.leave(2), Ids{3});
    EXPECT_EQ(lines.leave(1), Ids{});
    EXPECT_EQ(lines.leave(3), Ids{});
    EXPECT_EQ(lines.size(), 0U);
    EXPECT_EQ(lines.waiting(), 0U);
}

TEST_F(LinesTest, AreBoundedEachAndTogether) {
    lines.enter(1, {one});
    for (Lines::Id id = 2; id <= 4; ++id) EXPECT_EQ(lines.enter(id, {one}), Place::waits);
    EXPECT_EQ(lines.enter(5, {one}), Place::full);
    EXPECT_FALSE(lines.waits(5));
    EXPECT_EQ(lines.leave(5), Ids{});
    lines.enter(10, {two});
    EXPECT_EQ(lines.enter(11, {two}), Place::waits);
    EXPECT_EQ(lines.enter(12, {two}), Place::waits);
    EXPECT_EQ(lines.enter(13, {two}), Place::full);
    EXPECT_EQ(lines.enter(14, {three}), Place::free);  // who need not wait is not refused
    EXPECT_EQ(lines.waiting(), 5U);
}

// Whatever comes and goes: nobody waits where there is room, and in the end all have been free.
TEST_F(LinesTest, NobodyIsForgotten) {
    std::vector<Lines::Id> inside;
    std::size_t freed = 0, entered = 0;
    unsigned random = 1;
    const auto draw = [&](unsigned below) {
        return (random = random * 1103515245U + 12345U) / 65536U % below;
    };
    const auto leave = [&](std::size_t which) {
        const auto free = lines.leave(inside.at(which));
        inside.erase(inside.begin() + static_cast<std::ptrdiff_t>(which));
        inside.insert(inside.end(), free.begin(), free.end());
        freed += free.size();
    };
    for (Lines::Id id = 1; id <= 10000; ++id) {
        std::vector<Line> wanted;
        for (const Budget budget : {Budget::pair, Budget::network, Budget::site, Budget::account})
            if (draw(2) == 0) wanted.push_back({budget, std::to_string(draw(3))});
        for (const Line& line : wanted) at_once[line] = 1 + draw(3);
        const Place place = lines.enter(id, wanted);
        if (place == Place::free) inside.push_back(id);
        if (place != Place::full) ++entered;
        if (place == Place::free) ++freed;
        if (!inside.empty() && draw(3) != 0) leave(draw(static_cast<unsigned>(inside.size())));
    }
    while (!inside.empty()) leave(0);
    EXPECT_GT(entered, 1000U);
    EXPECT_EQ(freed, entered);
    EXPECT_EQ(lines.size(), 0U);
    EXPECT_EQ(lines.waiting(), 0U);
}

}  // namespace
}  // namespace relais::auth
