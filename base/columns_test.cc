#include "base/columns.h"

#include <gtest/gtest.h>

namespace relais {
namespace {

TEST(Columns, FitCutsAndFills) {
    EXPECT_EQ(fit("abc", 5), "abc  ");
    EXPECT_EQ(fit("abc", 2), "ab");
    EXPECT_EQ(fit("例え", 3), "例 ");
    EXPECT_EQ(fit("", 0), "");
}

TEST(Columns, AreCounted) {
    EXPECT_EQ(columns_of(""), 0U);
    EXPECT_EQ(columns_of("aé"), 2U);
    EXPECT_EQ(columns_of("例え▁"), 5U);
    EXPECT_EQ(columns_of("\xff\xe4\xbe"), 3U);
}

}  // namespace
}  // namespace relais
