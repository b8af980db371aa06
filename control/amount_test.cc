#include "control/amount.h"

#include <gtest/gtest.h>

namespace relais::control {
namespace {

TEST(Amount, UnitsOf1024) {
    EXPECT_EQ(parse_amount("1000"), 1000U);
    EXPECT_EQ(parse_amount("10M"), 10U << 20);
    EXPECT_EQ(parse_amount("10 M"), 10U);
    for (const char* text : {"2k", "2K", "2kb", "2KB", "2KiB"})
        EXPECT_EQ(parse_whole_amount(text), 2048U) << text;
    EXPECT_EQ(parse_whole_amount("3G"), std::uint64_t{3} << 30);
    EXPECT_EQ(parse_amount("5x"), 5U);
    for (const char* text : {"", "M", "5x", "10 M", "1kib2", "-1", "99999999999999999999", "99999999999999G"})
        EXPECT_EQ(parse_whole_amount(text), std::nullopt) << text;
}

}  // namespace
}  // namespace relais::control
