#include "send/parking.h"

#include <gtest/gtest.h>

namespace relais::send {

TEST(Parking, OneThatIsCalledGivesItsMessagesBackInOrder) {
    Parking parking;
    for (const queue::MessageId id : {11U, 12U, 13U}) parking.add(1, id);
    EXPECT_FALSE(parking.called());
    parking.call(1);
    parking.call(1);
    ASSERT_EQ(parking.called(), 1U);
    EXPECT_EQ(parking.take(), 11U);
    EXPECT_EQ(parking.take(), 12U);
    parking.end_turn();
    EXPECT_FALSE(parking.called());
    EXPECT_EQ(parking.at(1), std::vector<queue::MessageId>{13});
}

TEST(Parking, DestinationsTakeTurns) {
    Parking parking;
    parking.add(1, 11);
    parking.add(2, 21);
    parking.call(2);
    parking.call(1);
    parking.call(3);  // nothing waits there
    EXPECT_EQ(parking.called(), 2U);
    parking.end_turn();
    EXPECT_EQ(parking.called(), 1U);
    EXPECT_EQ(parking.take(), 11U);
    parking.end_turn();
    EXPECT_FALSE(parking.called());
    EXPECT_EQ(parking.count(1), 0U);
    EXPECT_EQ(parking.destinations(), std::vector<Parking::Number>{2});
}

TEST(Parking, IsEmptyWhenItIsCleared) {
    Parking parking;
    parking.add(1, 11);
    parking.call(1);
    parking.clear();
    EXPECT_FALSE(parking.called());
    EXPECT_EQ(parking.count(1), 0U);
    EXPECT_TRUE(parking.destinations().empty());
}

}  // namespace relais::send
