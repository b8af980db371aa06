#include "base/text.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/time.h"

namespace relais {

TEST(Text, NumbersFillTheWholeTextAndFit) {
    EXPECT_EQ(parse_number("0"), 0u);
    EXPECT_EQ(parse_number("18446744073709551615"), 18446744073709551615u);
    EXPECT_FALSE(parse_number("18446744073709551616"));
    EXPECT_FALSE(parse_number(""));
    EXPECT_FALSE(parse_number("12x"));
    EXPECT_FALSE(parse_number("-1"));
}

TEST(Text, SplitKeepsEmptyParts) {
    EXPECT_EQ(split("a::b", ':'), (std::vector<std::string_view>{"a", "", "b"}));
    EXPECT_EQ(split("", ':'), (std::vector<std::string_view>{""}));
}

TEST(Text, SafeForLogHidesWhatCouldForgeALine) {
    EXPECT_EQ(safe_for_log("a b\n%\xc3"), "a_b___");
}

TEST(Time, WritesQmailsDate) {
    EXPECT_EQ(date_822(812090814), "26 Sep 1995 04:46:54 -0000");
}

TEST(Error, NamesVerbObjectAndReason) {
    try {
        throw_errno("link", "mess/57/1", ENOSPC);
    } catch (const Error& error) {
        EXPECT_STREQ(error.what(), "unable to link mess/57/1: No space left on device");
        EXPECT_EQ(error.number(), ENOSPC);
    }
}

}  // namespace relais
