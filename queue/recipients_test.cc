#include "queue/recipients.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace relais::queue {
namespace {

using namespace std::string_literals;

TEST(Recipients, AreReadWhereTheyStand) {
    const Recipients all("head\0Ta@x\0Db\0F\0\0"s, 100, {5, 10, 13});
    ASSERT_EQ(all.size(), 3U);
    EXPECT_EQ(all[0].address, "a@x");
    EXPECT_EQ(all.address(1), "b");
    EXPECT_EQ(all.mark(1), Mark::done);
    EXPECT_EQ(all.back().address, "");
    EXPECT_EQ(all.back().mark, Mark::failed);
    EXPECT_EQ(all[2].mark_offset, 113U);
    EXPECT_EQ(
        std::count_if(all.begin(), all.end(), [](const Recipient& each) { return each.mark == Mark::to_do; }),
        1);
}

TEST(Recipients, ThoseOfWhomSomethingIsSaidKeepIt) {
    Recipients all;
    for (const char* orcpt : {"", "rfc822;b", "", "rfc822;d"})
        all.push_back({"x", Mark::to_do, 0, {{}, orcpt}});
    EXPECT_TRUE(all.any_options());
    EXPECT_EQ(all[1].options.orcpt, "rfc822;b");
    EXPECT_EQ(all[2].options.orcpt, "");
    EXPECT_EQ(all[3].options.orcpt, "rfc822;d");
    all.set_options(std::vector<mail::RecipientOptions>(4));
    EXPECT_FALSE(all.any_options());
    EXPECT_FALSE(all[3].options.said());
}

}  // namespace
}  // namespace relais::queue
