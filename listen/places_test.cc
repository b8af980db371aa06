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
    Places places(2, 0);
    places.take("192.0.2.1");
    EXPECT_FALSE(places.full());
    places.take("192.0.2.1");
    EXPECT_TRUE(places.full());
    EXPECT_FALSE(places.full_for("192.0.2.1"));
    places.release("192.0.2.1");
    EXPECT_FALSE(places.full());
    EXPECT_EQ(places.taken(), 1U);
}

TEST(Places, EachNeighbourhoodIsLimited) {
    Places places(10, 2);
    places.take("2001:db8::1");
    places.take("2001:db8::2");
    places.take("192.0.2.1");
    EXPECT_TRUE(places.full_for("2001:db8::3"));
    EXPECT_FALSE(places.full_for("2001:db8:0:1::3"));
    EXPECT_FALSE(places.full_for("192.0.2.1"));
    places.release("2001:db8::2");
    EXPECT_FALSE(places.full_for("2001:db8::3"));
}

TEST(Places, WhatWasNotTakenIsNotReleased) {
    Places places(1, 1);
    places.release("192.0.2.1");
    EXPECT_EQ(places.taken(), 0U);
}

}  // namespace
}  // namespace relais::listen
