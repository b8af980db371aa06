#include "send/lane.h"

#include <gtest/gtest.h>

#include <map>

namespace relais::send {
namespace {

constexpr Verdict good{Verdict::Kind::success, 10, {}, {}};

Verdict unreachable(const std::string& reason = "no route") {
    return {Verdict::Kind::unreachable, 0, {}, reason};
}

void fill(Lane& lane, const std::string& name, unsigned count, std::uint8_t line = 0) {
    for (unsigned i = 0; i < count; ++i) lane.add(lane.destination(name), Job{1, 1, {0}, line});
}

// Starts all that may run; how many for each destination.
std::map<std::string, int> start_all(Lane& lane, std::uint32_t now,
                                     std::vector<DestinationPtr>* started = nullptr) {
    std::map<std::string, int> counts;
    while (const auto next = lane.next(now)) {
        ++counts[next->destination->name];
        if (started != nullptr) started->push_back(next->destination);
    }
    return counts;
}

// Lets a destination's limit grow far.
void grow(Lane& lane, const std::string& name) {
    for (int i = 0; i < 2000; ++i) {
        fill(lane, name, 1);
        const auto next = lane.next(1);
        ASSERT_TRUE(next);
        lane.finished(next->destination, good, 1);
    }
}

TEST(Lane, OneDestinationLeavesRoomForOthers) {
    Lane lane(20, false);
    fill(lane, "big", 1000);
    EXPECT_EQ(start_all(lane, 1)["big"], 15);
}

TEST(Lane, BusyDestinationsAlwaysLeaveAPlaceForANewOne) {
    for (const int busy : {1, 2, 3, 5}) {
        Lane lane(20, false);
        for (int i = 0; i < busy; ++i) fill(lane, "busy" + std::to_string(i), 1000);
        const auto counts = start_all(lane, 1);
        EXPECT_LT(lane.running(), 20U);
        for (int i = 0; i < busy; ++i)
            EXPECT_LE(std::abs(counts.at("busy" + std::to_string(i)) - counts.at("busy0")), 1);
        fill(lane, "new", 1);
        const auto next = lane.next(1);
        ASSERT_TRUE(next) << busy;
        EXPECT_EQ(next->destination->name, "new");
    }
}

TEST(Lane, SilentAndSlowDestinationsDoNotHoldUpHealthyMail) {
    Lane lane(20, true);
    grow(lane, "slow");
    fill(lane, "slow", 10'000);
    fill(lane, "silent", 100'000);
    std::vector<DestinationPtr> started;
    start_all(lane, 1, &started);
    // Each time one of the slow ones ends, its place is taken again; what is healthy goes out at once
    // nevertheless.
    for (int i = 0; i < 1000; ++i) {
        lane.finished(lane.destination("slow"), {Verdict::Kind::success, 1000, {}, {}}, 1);
        while (lane.next(1)) {
        }
        fill(lane, "healthy", 1);
        const auto next = lane.next(1);
        ASSERT_TRUE(next);
        EXPECT_EQ(next->destination->name, "healthy");
        lane.finished(next->destination, good, 1);
        while (lane.next(1)) {
        }
    }
}

TEST(Lane, DestinationsTakeTurns) {
    Lane lane(30, true);
    for (const char* name : {"a", "b", "c"}) fill(lane, name, 4);
    std::string order;
    while (const auto next = lane.next(1)) order += next->destination->name;
    EXPECT_EQ(order, "abcabcabcabc");
}

TEST(Lane, ANewDestinationIsNextThoughAnotherHasALongQueue) {
    Lane lane(10, true);
    fill(lane, "big", 100'000);
    std::vector<DestinationPtr> started;
    start_all(lane, 1, &started);
    fill(lane, "new", 1);
    EXPECT_EQ(lane.next(1)->destination->name, "new");
}

TEST(Lane, NewMailAndTriedMailTakeTurns) {
    Lane lane(8, true);
    for (int i = 0; i < 100; ++i) fill(lane, "old" + std::to_string(i), 10, 1);
    for (int i = 0; i < 3; ++i) fill(lane, "new" + std::to_string(i), 1, 0);
    std::string lines;
    while (const auto next = lane.next(1)) lines += next->destination->name.substr(0, 1);
    EXPECT_EQ(lines, "nononooo");
}

TEST(Lane, LimitGrowsWithSuccessAndShrinksWithFailure) {
    Lane lane(100, true);
    fill(lane, "x", 1000);
    EXPECT_EQ(start_all(lane, 1)["x"], 5);
    const DestinationPtr x = lane.destination("x");
    for (int i = 0; i < 5; ++i) lane.finished(x, good, 1);
    const int grown = start_all(lane, 1)["x"];
    EXPECT_GE(grown, 8);
    for (int i = 0; i < grown; ++i) lane.finished(x, {Verdict::Kind::temporary, 10, {}, "450"}, 1);
    EXPECT_EQ(start_all(lane, 1)["x"], 1);
}

TEST(Lane, LimitShrinksWhenADestinationSlowsDown) {
    Lane lane(100, true);
    grow(lane, "x");
    const DestinationPtr x = lane.destination("x");
    const double before = x->share->limit;
    for (int i = 0; i < 5; ++i) {
        fill(lane, "x", 1);
        ASSERT_TRUE(lane.next(1));
        lane.finished(x, {Verdict::Kind::success, 30'000, {}, {}}, 1);
    }
    EXPECT_LT(x->share->limit, before / 2);
}

TEST(Lane, ADeadDestinationBacksOffAsAWholeAndIsProbedByOne) {
    Lane lane(20, true);
    fill(lane, "dead", 100);
    fill(lane, "alive", 1);
    std::vector<DestinationPtr> started;
    start_all(lane, 100, &started);
    const DestinationPtr dead = lane.destination("dead");
    EXPECT_TRUE(lane.finished(dead, unreachable(), 100));
    // The others that were under way say the same: no longer back-off.
    const std::uint32_t until = dead->share->backoff_until;
    for (int i = 0; i < 4; ++i) EXPECT_FALSE(lane.finished(dead, unreachable(), 101));
    EXPECT_EQ(dead->share->backoff_until, until);
    EXPECT_EQ(until, 130U);
    EXPECT_TRUE(start_all(lane, 129).empty());
    EXPECT_EQ(lane.next_wake(), 130U);
    lane.wake(130);
    EXPECT_EQ(start_all(lane, 130)["dead"], 1);
    // Dead still: twice as long.
    EXPECT_TRUE(lane.finished(dead, unreachable(), 160));
    EXPECT_EQ(dead->share->backoff_until, 220U);
    lane.wake(220);
    EXPECT_EQ(start_all(lane, 220)["dead"], 1);
    // It lives: soon as fast as ever.
    lane.finished(dead, good, 221);
    EXPECT_EQ(start_all(lane, 221)["dead"], 2);
}

TEST(Lane, BackOffIsBounded) {
    Lane lane(20, true);
    std::uint32_t now = 1;
    for (int i = 0; i < 20; ++i) {
        fill(lane, "dead", 1);
        lane.wake(now);
        ASSERT_TRUE(lane.next(now));
        lane.finished(lane.destination("dead"), unreachable(), now);
        const std::uint32_t until = lane.destination("dead")->share->backoff_until;
        EXPECT_LE(until - now, 1800U);
        now = until;
    }
}

TEST(Lane, ParkedMailIsCalledWhenTheBackOffEnds) {
    Lane lane(20, true);
    fill(lane, "dead", 1);
    ASSERT_TRUE(lane.next(10));
    const DestinationPtr dead = lane.destination("dead");
    lane.finished(dead, unreachable(), 10);
    lane.park(dead, 77, 10);
    lane.wake(39);
    EXPECT_FALSE(lane.next_parked(39));
    EXPECT_EQ(lane.next_wake(), 40U);
    lane.wake(40);
    const auto called = lane.next_parked(40);
    ASSERT_TRUE(called);
    EXPECT_EQ(called->id, 77U);
    EXPECT_EQ(called->destination, dead->number);
    EXPECT_FALSE(lane.next_parked(40));
}

TEST(Lane, DestinationsWithTheSameServersShareTheirLimit) {
    Lane lane(100, true);
    for (const char* name : {"a.example", "b.example"}) {
        fill(lane, name, 1);
        const auto next = lane.next(1);
        ASSERT_TRUE(next);
        lane.finished(next->destination, {Verdict::Kind::success, 10, "mx.example", {}}, 1);
    }
    const DestinationPtr a = lane.destination("a.example");
    const DestinationPtr b = lane.destination("b.example");
    EXPECT_EQ(a->share, b->share);
    fill(lane, "a.example", 100);
    fill(lane, "b.example", 100);
    const auto counts = start_all(lane, 1);
    EXPECT_LE(counts.at("a.example") + counts.at("b.example"), static_cast<int>(a->share->limit));
    EXPECT_NEAR(counts.at("a.example"), counts.at("b.example"), 1);
    // One says that nobody answers: both back off.
    lane.finished(a, {Verdict::Kind::unreachable, 0, "mx.example", "no route"}, 2);
    EXPECT_TRUE(Lane::backs_off(*b, 3));
}

TEST(Lane, DeliveriesOfAnotherGenerationCountInTheirShare) {
    Lane lane(4, false);
    for (const char* name : {"joe", "joe-a", "joe-b"}) lane.adopt(lane.destination(name, "joe"));
    lane.add(lane.destination("joe-c", "joe"), Job{1, 1, {0}, 0});
    EXPECT_TRUE(start_all(lane, 1).empty());
    fill(lane, "ann", 1);
    EXPECT_EQ(start_all(lane, 1), (std::map<std::string, int>{{"ann", 1}}));
    lane.finished(lane.destination("joe"), good, 2);
    EXPECT_EQ(start_all(lane, 2), (std::map<std::string, int>{{"joe-c", 1}}));
}

TEST(Lane, DeliveriesOfAnotherGenerationCountInTheLimitOfTheirDestination) {
    Lane lane(20, true);
    lane.set_limits(control::DestinationLimits({"small.test:2"}));
    for (int i = 0; i < 2; ++i) lane.adopt(lane.destination("small.test"));
    fill(lane, "small.test", 3);
    EXPECT_TRUE(start_all(lane, 1).empty());
    lane.dropped(lane.destination("small.test"));
    EXPECT_EQ(start_all(lane, 2)["small.test"], 1);
}

TEST(Lane, AStrangersDeliveryOfAnotherGenerationIsTheOneItMayHave) {
    Lane lane(20, true);
    lane.tell_strangers_by([](std::string_view name) { return name == "known"; });
    for (const char* name : {"new", "known"}) {
        lane.adopt(lane.destination(name));
        fill(lane, name, 3);
    }
    EXPECT_EQ(start_all(lane, 1), (std::map<std::string, int>{{"known", 3}}));
}

TEST(Lane, JoiningAGroupWithDeliveriesUnderWayKeepsTheCountsRight) {
    Lane lane(100, true);
    fill(lane, "a", 3);
    fill(lane, "b", 3);
    std::vector<DestinationPtr> started;
    start_all(lane, 1, &started);
    for (const DestinationPtr& destination : started)
        lane.finished(destination, {Verdict::Kind::success, 5, "mx", {}}, 1);
    EXPECT_EQ(lane.running(), 0U);
    EXPECT_EQ(lane.destination("a")->share->running, 0U);
    EXPECT_EQ(lane.destination("b")->share->running, 0U);
    fill(lane, "b", 1);
    EXPECT_TRUE(lane.next(1));
}

TEST(Lane, ConnectionsAreLimited) {
    Lane lane(100, true);
    lane.set_limits(control::DestinationLimits({"small.test:2"}));
    grow(lane, "small.test");
    fill(lane, "small.test", 50);
    fill(lane, "other.test", 5);
    auto counts = start_all(lane, 1);
    EXPECT_EQ(counts["small.test"], 2);
    EXPECT_EQ(counts["other.test"], 5);
    lane.finished(lane.destination("small.test"), good, 1);
    EXPECT_EQ(start_all(lane, 1)["small.test"], 1);
    lane.set_limits({});
    EXPECT_GT(start_all(lane, 1)["small.test"], 20);
}

TEST(Lane, MessagesASecondAreLimited) {
    Lane lane(100, true);
    lane.set_limits(control::DestinationLimits({"slow.test:::3", "slower.test:::0.1"}));
    fill(lane, "slow.test", 100);
    fill(lane, "slower.test", 3);
    int slow = 0;
    int slower = 0;
    for (std::uint32_t now = 100; now < 120; ++now) {
        if (lane.next_wake() != 0 && lane.next_wake() <= now) lane.wake(now);
        while (const auto next = lane.next(now)) {
            ++(next->destination->name == "slow.test" ? slow : slower);
            lane.finished(next->destination, good, now);
        }
        EXPECT_LE(slow, 3 * static_cast<int>(now - 99));
        EXPECT_NE(lane.next_wake(), 0U);
    }
    EXPECT_GE(slow, 56);
    EXPECT_EQ(slower, 2);
}

TEST(Lane, WhatWasNotBegunDoesNotCountForTheRate) {
    Lane lane(100, true);
    lane.set_limits(control::DestinationLimits({"slow.test:::1"}));
    fill(lane, "slow.test", 3);
    const auto first = lane.next(100);
    ASSERT_TRUE(first);
    EXPECT_FALSE(lane.next(100));
    lane.put_back(first->destination, first->job);
    EXPECT_TRUE(lane.next(100));
    EXPECT_FALSE(lane.next(100));
}

TEST(Lane, TheLimitsOfAllMembersHoldForAGroup) {
    Lane lane(100, true);
    lane.set_limits(control::DestinationLimits({"a.test:2"}));
    for (const char* name : {"a.test", "b.test"}) {
        fill(lane, name, 1);
        lane.finished(lane.next(1)->destination, {Verdict::Kind::success, 10, "mx.test", {}}, 1);
    }
    for (const char* name : {"a.test", "b.test"}) fill(lane, name, 20);
    auto counts = start_all(lane, 1);
    EXPECT_EQ(counts["a.test"], 1);
    EXPECT_EQ(counts["b.test"], 1);
}

TEST(Lane, TheAddressesOfOneUserShareHisPart) {
    Lane lane(20, false);
    for (int i = 0; i < 50; ++i) {
        const std::string name = "joe-" + std::to_string(i) + "@local.test";
        lane.destination(name, "joe");
        fill(lane, name, 10);
    }
    EXPECT_EQ(start_all(lane, 1).size(), 15U);
    lane.destination("ann@local.test", "ann");
    fill(lane, "ann@local.test", 1);
    EXPECT_EQ(lane.next(1)->destination->name, "ann@local.test");
}

TEST(Lane, ConcurrencyHoldsAlwaysAndMayBeZeroOrHuge) {
    Lane none(0, false);
    fill(none, "a", 1);
    EXPECT_FALSE(none.next(1));
    none.set_concurrency(1);
    EXPECT_TRUE(none.next(1));
    Lane huge(2000, false);
    for (int i = 0; i < 100; ++i) fill(huge, "d" + std::to_string(i), 30);
    int all = 0;
    for (const auto& [name, count] : start_all(huge, 1)) all += count;
    EXPECT_LE(all, 2000);
    EXPECT_GE(all, 1990);
}

TEST(Lane, ManyDestinationsWithNothingToDoAreForgotten) {
    Lane lane(10, true);
    for (int i = 0; i < 30'000; ++i) lane.destination("d" + std::to_string(i));
    const DestinationPtr parked = lane.destination("d1");
    lane.park(parked, 5, 1);
    lane.purge(1);
    EXPECT_EQ(lane.numbered(parked->number), parked);
    EXPECT_NE(lane.destination("d2")->number, 3U);
}

// Everybody is a stranger but those whose names begin with "known".
void tell_strangers(Lane& lane) {
    lane.tell_strangers_by([](std::string_view name) { return name.starts_with("known"); });
}

Verdict hung() {
    return {Verdict::Kind::temporary, 60'000, {}, "silent"};
}

Verdict delivered(const std::string& group = "") {
    return {Verdict::Kind::success, 10, group, {}, true};
}

TEST(Lane, StrangersHaveOnePlaceEachAndHalfOfThemTogether) {
    Lane lane(20, true);
    tell_strangers(lane);
    for (int i = 0; i < 25; ++i) fill(lane, "stranger" + std::to_string(i), 5);
    const auto counts = start_all(lane, 1);
    EXPECT_EQ(counts.size(), 10U);
    for (const auto& [name, count] : counts) EXPECT_EQ(count, 1) << name;
    fill(lane, "known", 20);
    EXPECT_EQ(start_all(lane, 1)["known"], 5);
}

TEST(Lane, AStrangerIsKnownByItsFirstSuccess) {
    Lane lane(20, true);
    tell_strangers(lane);
    fill(lane, "new", 10);
    const auto first = lane.next(1);
    ASSERT_TRUE(first);
    EXPECT_FALSE(lane.next(1));
    // Who refuses is no better known.
    lane.finished(first->destination, good, 1);
    ASSERT_TRUE(lane.next(1));
    EXPECT_FALSE(lane.next(1));
    lane.finished(first->destination, delivered(), 1);
    EXPECT_EQ(start_all(lane, 1)["new"], 6);
}

TEST(Lane, WhoLetsADeliveryHangIsAStrangerUntilTheNextSuccess) {
    Lane lane(20, true);
    tell_strangers(lane);
    for (int i = 0; i < 30; ++i) fill(lane, "known" + std::to_string(i), 10);
    std::vector<DestinationPtr> started;
    start_all(lane, 1, &started);
    ASSERT_EQ(started.size(), 20U);
    for (const DestinationPtr& each : started) lane.finished(each, hung(), 100);
    // All thirty have mail; twenty of them have shown what they are.
    std::size_t strangers = 0, others = 0;
    std::vector<DestinationPtr> again;
    start_all(lane, 100, &again);
    for (const DestinationPtr& each : again) ++(each->share->stranger ? strangers : others);
    EXPECT_EQ(strangers, 10U);
    EXPECT_EQ(others, 10U);
    for (const DestinationPtr& each : again) lane.finished(each, delivered(), 101);
    for (const DestinationPtr& each : again) EXPECT_FALSE(each->share->stranger);
}

TEST(Lane, CountsStrangersRightHoweverTheyMoveBetweenShares) {
    Lane lane(8, true);
    tell_strangers(lane);
    // Two strangers with the same servers, one of them found out while both run.
    fill(lane, "a", 3);
    fill(lane, "b", 3);
    EXPECT_EQ(start_all(lane, 1).size(), 2U);
    lane.finished(lane.destination("a"), {Verdict::Kind::success, 10, "mx", {}}, 1);
    start_all(lane, 1);
    lane.finished(lane.destination("b"), {Verdict::Kind::success, 10, "mx", {}}, 1);
    EXPECT_EQ(lane.destination("a")->share, lane.destination("b")->share);
    EXPECT_EQ(lane.destination("a")->share->running, 1U);
    lane.finished(lane.destination("a"), delivered("mx"), 1);
    EXPECT_FALSE(lane.destination("b")->share->stranger);
    std::vector<DestinationPtr> started;
    start_all(lane, 1, &started);
    for (const DestinationPtr& each : started) lane.finished(each, delivered("mx"), 1);
    // Nothing runs: four strangers may.
    for (int i = 0; i < 10; ++i) fill(lane, "stranger" + std::to_string(i), 1);
    EXPECT_EQ(start_all(lane, 1).size(), 4U);
}

TEST(Lane, ThousandsOfStrangersInLineCostNothing) {
    Lane lane(100, true);
    tell_strangers(lane);
    for (int i = 0; i < 50'000; ++i) fill(lane, "stranger" + std::to_string(i), 1);
    EXPECT_EQ(start_all(lane, 1).size(), 50U);
    for (int i = 0; i < 20'000; ++i) {
        fill(lane, "known", 1);
        const auto next = lane.next(1);
        ASSERT_TRUE(next);
        lane.finished(next->destination, delivered(), 1);
    }
}

TEST(Lane, SaysWhenOthersNeedThePlace) {
    Lane lane(20, true);
    tell_strangers(lane);
    fill(lane, "known", 4);
    for (int i = 0; i < 2; ++i) fill(lane, "stranger" + std::to_string(i), 1);
    start_all(lane, 1);
    EXPECT_FALSE(lane.is_crowded(*lane.destination("stranger0")));
    fill(lane, "stranger2", 1);
    start_all(lane, 1);
    EXPECT_TRUE(lane.is_crowded(*lane.destination("stranger0")));
    EXPECT_FALSE(lane.is_crowded(*lane.destination("known")));
    fill(lane, "known2", 5);
    fill(lane, "known3", 3);
    start_all(lane, 1);
    EXPECT_EQ(lane.running(), 15U);
    EXPECT_TRUE(lane.is_crowded(*lane.destination("known")));
}

TEST(Lane, AStepOfPriorityIsAMinuteOfWaiting) {
    Lane lane(20, false);
    const auto add = [&](queue::MessageId id, int priority, std::uint32_t since) {
        lane.add(lane.destination("far"), Job{id, 1, {0}, 0, 0, priority, since});
    };
    add(1, 0, 100);
    add(2, -9, 100);
    add(3, 0, 101);
    add(4, 9, 400);   // before what came up to nine minutes before
    add(5, 1, 170);   // 10 seconds less than it would need to go before the third
    add(6, 9, 1200);  // after what has waited for longer
    std::vector<queue::MessageId> order;
    while (const auto next = lane.next(2000)) {
        order.push_back(next->job.message);
        lane.finished(next->destination, good, 2000);
    }
    EXPECT_EQ(order, (std::vector<queue::MessageId>{4, 1, 3, 5, 2, 6}));
    EXPECT_EQ(lane.destination("far")->urgent, 0U);
}

TEST(Lane, UrgentMailHasRoomOfItsOwn) {
    Lane lane(1, true);
    fill(lane, "far", 200);
    const Destination& far = *lane.destination("far");
    EXPECT_FALSE(lane.has_room(far, 1));
    EXPECT_TRUE(lane.has_room(far, 1, true));
    for (int i = 0; i < 100; ++i) lane.add(lane.destination("far"), Job{1, 1, {0}, 0, 0, 1, 1});
    EXPECT_FALSE(lane.has_room(far, 1, true));
    lane.take_jobs(lane.destination("far"));
    EXPECT_TRUE(lane.has_room(far, 1));
    EXPECT_TRUE(lane.has_room(far, 1, true));
}

}  // namespace
}  // namespace relais::send
