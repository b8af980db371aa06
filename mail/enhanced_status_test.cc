#include "mail/enhanced_status.h"

#include <gtest/gtest.h>

namespace relais::mail {
namespace {

TEST(EnhancedStatus, TheReplyKnowsBest) {
    EXPECT_EQ(enhanced_status('5', "550 5.1.1 <bob> no such user", "text (#5.7.1)"), "5.1.1");
    EXPECT_EQ(enhanced_status('5', "550-5.7.26 unauthenticated\n550 more", ""), "5.7.26");
    EXPECT_EQ(enhanced_status('5', "550 no such user", "Sorry, no mailbox here. (#5.1.1)"), "5.1.1");
    EXPECT_EQ(enhanced_status('5', "", "a (b) (#x) (#5.4.6)\nmore"), "5.4.6");
}

TEST(EnhancedStatus, OnlyOfTheClassThatWasMeant) {
    EXPECT_EQ(enhanced_status('4', "550 5.1.1 no", "no (#5.1.1)"), "4.0.0");
    EXPECT_EQ(enhanced_status('5', "450 5.1.1 no", ""), "5.0.0");
    EXPECT_EQ(enhanced_status('5', "the last try (#4.4.1)", "(#4.4.1) too long in queue"), "5.0.0");
    EXPECT_EQ(enhanced_status('2', "250 ok", ""), "2.0.0");
}

TEST(EnhancedStatus, WhatIsNoCodeIsNone) {
    for (const char* reply :
         {"550 5.1", "550 5.1.", "550 5..1", "550 5.1234.1", "550 5.1.1234", "550 5", "5505.1.1", ""})
        EXPECT_EQ(enhanced_status('5', reply, ""), "5.0.0") << reply;
    EXPECT_EQ(enhanced_status('5', "", "(#"), "5.0.0");
}

}  // namespace
}  // namespace relais::mail
