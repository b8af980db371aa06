#include "send/known_messages.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace relais::send {
namespace {

TEST(KnownMessages, NothingIsKnownTwice) {
    KnownMessages known;
    EXPECT_TRUE(known.insert(5));
    EXPECT_FALSE(known.insert(5));
    EXPECT_FALSE(known.insert(0));
    known.erase(5);
    known.erase(5);
    EXPECT_EQ(known.size(), 0U);
    EXPECT_TRUE(known.insert(5));
}

TEST(KnownMessages, LikeASetUnderRandomUse) {
    KnownMessages known;
    std::set<queue::MessageId> model;
    std::mt19937 random(1);
    for (int i = 0; i < 200'000; ++i) {
        const queue::MessageId id = 1 + random() % 5000;
        if (random() % 2 == 0) {
            EXPECT_EQ(known.insert(id), model.insert(id).second);
        } else {
            known.erase(id);
            model.erase(id);
        }
    }
    EXPECT_EQ(known.size(), model.size());
    for (queue::MessageId id = 1; id <= 5000; ++id)
        EXPECT_EQ(known.find(id) != nullptr, model.contains(id)) << id;
}

TEST(KnownMessages, DueInOrder) {
    KnownMessages known;
    for (queue::MessageId id = 1; id <= 100; ++id) {
        known.insert(id);
        known.schedule(*known.find(id), static_cast<std::uint32_t>(1000 - id));
    }
    known.erase(100);
    known.find(99)->place = Place::held;
    EXPECT_EQ(known.next_due(), 902U);
    EXPECT_FALSE(known.take_due(901));
    EXPECT_EQ(known.take_due(902), 98U);
    // Put off: only the later time counts.
    known.schedule(*known.find(97), 5000);
    EXPECT_EQ(known.take_due(2000), 96U);
}

TEST(KnownMessages, EachMessageIsTakenOnceHoweverOftenItWasPutOff) {
    // Enough for the heap to be made anew; the checked library looks at all of it for each message.
    constexpr queue::MessageId messages = 100;
    KnownMessages known;
    for (queue::MessageId id = 1; id <= messages; ++id) known.insert(id);
    for (std::uint32_t round = 1; round <= 20; ++round)
        for (queue::MessageId id = 1; id <= messages; ++id) known.schedule(*known.find(id), 100 + round);
    std::set<queue::MessageId> taken;
    while (const auto id = known.take_due(1000)) {
        EXPECT_TRUE(taken.insert(*id).second);
        known.find(*id)->place = Place::active;
    }
    EXPECT_EQ(taken.size(), messages);
}

TEST(KnownMessages, WhatWaitsMayBeSpreadAnew) {
    KnownMessages known;
    for (KnownMessages::MessageId id = 1; id <= 100; ++id) {
        known.insert(id);
        if (id != 50) known.schedule(*known.find(id), static_cast<std::uint32_t>(id));
    }
    known.reschedule([](KnownMessages::MessageId, std::uint32_t when) { return when * 10; });
    EXPECT_FALSE(known.take_due(9));
    for (KnownMessages::MessageId id = 1; id <= 100; ++id)
        if (id != 50) {
            EXPECT_EQ(known.take_due(static_cast<std::uint32_t>(id * 10)), id);
        }
    EXPECT_FALSE(known.take_due(100'000));
    EXPECT_EQ(known.find(50)->place, Place::fresh);
}

TEST(KnownMessages, FlushTakesWaitingAndParkedButNotHeld) {
    KnownMessages known;
    for (queue::MessageId id = 1; id <= 4; ++id) known.insert(id);
    known.schedule(*known.find(1), 5000);
    known.find(2)->place = Place::parked;
    known.find(3)->place = Place::held;
    known.schedule_all(10);
    std::set<queue::MessageId> taken;
    while (const auto id = known.take_due(10)) {
        taken.insert(*id);
        known.find(*id)->place = Place::active;
    }
    EXPECT_EQ(taken, (std::set<queue::MessageId>{1, 2}));
}

}  // namespace
}  // namespace relais::send
