#include "base/words.h"

#include <gtest/gtest.h>

#include <string>

namespace relais {

TEST(Words, StandBetweenBlanksAndTabs) {
    using Words = std::vector<std::string_view>;
    EXPECT_EQ(words_of(" a\tbc  d "), (Words{"a", "bc", "d"}));
    EXPECT_EQ(words_of("one"), Words{"one"});
    EXPECT_EQ(words_of(" \t "), Words{});
    EXPECT_EQ(words_of(""), Words{});
}

TEST(Pattern, KnowsStars) {
    EXPECT_TRUE(matches_pattern("*", ""));
    EXPECT_TRUE(matches_pattern("", ""));
    EXPECT_TRUE(matches_pattern("a*b*c", "aXXbYYbZc"));
    EXPECT_TRUE(matches_pattern("*@[1.2.3.4]", "x@[1.2.3.4]"));
    EXPECT_TRUE(matches_pattern("JOE@*", "joe@x"));
    EXPECT_FALSE(matches_pattern("a*b", "ab c"));
    EXPECT_FALSE(matches_pattern("", "a"));
    EXPECT_FALSE(matches_pattern("a", ""));
    // No exponential time.
    EXPECT_FALSE(matches_pattern("*a*a*a*a*a*a*a*a*a*a*b", std::string(1000, 'a')));
}

TEST(Pattern, HasAWildcardForOneOctetWhereItIsNamed) {
    EXPECT_TRUE(matches_pattern("a?c*", "aBcd", '?'));
    EXPECT_FALSE(matches_pattern("a?", "a", '?'));
    EXPECT_FALSE(matches_pattern("a?c", "abc"));
    EXPECT_TRUE(matches_pattern("a?c", "A?C"));
}

}  // namespace relais
