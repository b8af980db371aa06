#include "local/program_resources.h"

#include <gtest/gtest.h>

namespace relais::local {
namespace {

TEST(ProgramResources, LinesAreANameAndANumber) {
    const auto limit = parse_resource_limit("cpu 600");
    ASSERT_TRUE(limit);
    EXPECT_EQ(limit->resource, RLIMIT_CPU);
    EXPECT_EQ(limit->most, 600U);
    EXPECT_EQ(parse_resource_limit("as   1000000000 ")->most, 1'000'000'000U);
    for (const char* wrong :
         {"", "cpu", "cpu ", "cpu x", "cpu -1", "CPU 600", "cpu 600 700", "memlock 5", " cpu 600"})
        EXPECT_FALSE(parse_resource_limit(wrong)) << wrong;
}

}  // namespace
}  // namespace relais::local
