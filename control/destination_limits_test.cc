#include "control/destination_limits.h"

#include <gtest/gtest.h>

namespace relais::control {
namespace {

TEST(DestinationLimits, TheMostSpecificLineCounts) {
    const DestinationLimits limits(
        {"Example.org:5:100:10", ".example.org:2", "a.b.example.org::7", ":20::0.25"});
    EXPECT_EQ(limits.match("example.org"), (DestinationLimit{5, 100, 10'000}));
    EXPECT_EQ(limits.match("EXAMPLE.ORG."), (DestinationLimit{5, 100, 10'000}));
    EXPECT_EQ(limits.match("x.example.org"), (DestinationLimit{2, 0, 0}));
    EXPECT_EQ(limits.match("x.y.example.org"), (DestinationLimit{2, 0, 0}));
    EXPECT_EQ(limits.match("a.b.example.org"), (DestinationLimit{0, 7, 0}));
    EXPECT_EQ(limits.match("other.test"), (DestinationLimit{20, 0, 250}));
    EXPECT_EQ(limits.match("notexample.org"), (DestinationLimit{20, 0, 250}));
    EXPECT_EQ(DestinationLimits().match("x"), DestinationLimit());
}

TEST(DestinationLimits, Fields) {
    EXPECT_EQ(parse_destination_limit(""), DestinationLimit());
    EXPECT_EQ(parse_destination_limit(" 3 : : 1.5 "), (DestinationLimit{3, 0, 1500}));
    EXPECT_EQ(parse_destination_limit("::.001"), (DestinationLimit{0, 0, 1}));
    for (const char* wrong :
         {"x", "-1", "1:2:3:4", "1.5", "::1.", "::.", "::1.2345", "::1,5", "1000001", "::x"})
        EXPECT_FALSE(parse_destination_limit(wrong)) << wrong;
}

TEST(DestinationLimits, WrongLinesDoNotCount) {
    const DestinationLimits limits({"nonsense", "x.test:many", "x.test:4", "x.test:5"});
    EXPECT_EQ(limits.match("x.test").connections, 4U);
}

TEST(DestinationLimits, TheStricterOfTwo) {
    EXPECT_EQ(stricter({5, 0, 1000}, {3, 10, 2000}), (DestinationLimit{3, 10, 1000}));
}

}  // namespace
}  // namespace relais::control
