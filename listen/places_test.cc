#include "listen/places.h"

#include <gtest/gtest.h>

namespace relais::listen {
namespace {

TEST(Places, AnIPv6ClientHasAWholeNetworkToCallFrom) {
    EXPECT_EQ(neighbourhood("192.0.2.1"), "192.0.2.1");
    EXPECT_EQ(neighbourhood("2001:db8::1"), neighbourhood("2001:db8::ffff:1"));
    EXPECT_NE(neighbourhood("2001:db8::1"), neighbourhood("2001:db8:0:1::1"));
}

TEST(Places, TheWholeIsLimited) {
    Places places(2);
    places.take("192.0.2.1");
    EXPECT_FALSE(places.full());
    places.take("192.0.2.1");
    EXPECT_TRUE(places.full());
    EXPECT_FALSE(places.full_for("192.0.2.1", 0));
    places.release("192.0.2.1");
    EXPECT_FALSE(places.full());
    EXPECT_EQ(places.taken(), 1U);
}

TEST(Places, EachNeighbourhoodIsLimited) {
    Places places(10);
    places.take("2001:db8::1");
    places.take("2001:db8::2");
    places.take("192.0.2.1");
    EXPECT_TRUE(places.full_for("2001:db8::3", 2));
    EXPECT_FALSE(places.full_for("2001:db8:0:1::3", 2));
    EXPECT_FALSE(places.full_for("192.0.2.1", 2));
    places.release("2001:db8::2");
    EXPECT_FALSE(places.full_for("2001:db8::3", 2));
}

TEST(Places, TheyAreScarceWhenThreeQuartersAreTaken) {
    Places places(8);
    for (int i = 0; i < 5; ++i) places.take("192.0.2.1");
    EXPECT_FALSE(places.scarce());
    places.take("192.0.2.1");
    EXPECT_TRUE(places.scarce());
}

TEST(Places, AShareIsANumberOrAPartOfAll) {
    EXPECT_EQ(share_of_one("7", 40), 7U);
    EXPECT_EQ(share_of_one("25%", 40), 10U);
    EXPECT_EQ(share_of_one("25%", 3), 1U);
    EXPECT_EQ(share_of_one("1000%", 40), 40U);
    for (const char* none : {"", "0", "0%", "%", "many", "-1"}) EXPECT_EQ(share_of_one(none, 40), 0U) << none;
}

TEST(Places, WhatWasNotTakenIsNotReleased) {
    Places places(1);
    places.release("192.0.2.1");
    EXPECT_EQ(places.taken(), 0U);
}

}  // namespace
}  // namespace relais::listen
