#include "tcprules/text.h"

#include <gtest/gtest.h>

namespace relais::tcprules {
namespace {

RulesText text_of(const std::string& content) {
    return RulesText({{"tcp.smtp", content}});
}

TEST(RulesText, KnowsTheLineOfAKey) {
    const auto text = text_of("# who\n\n127.:allow,RELAYCLIENT=\"\"\n10.0.0.1-3:deny\n:allow\n");
    EXPECT_EQ(text.lines().size(), 3U);
    EXPECT_EQ(text.line_of("127.")->number, 3U);
    EXPECT_EQ(text.line_of("10.0.0.2")->number, 4U);
    EXPECT_EQ(text.line_of("")->address, "");
    EXPECT_EQ(text.line_of("10."), nullptr);
}

TEST(RulesText, LooksUpAsTheCdbDoes) {
    const auto text = text_of("192.0.2.7:deny\n192.0.2.:allow,RELAYCLIENT=\"\"\n");
    EXPECT_FALSE(text.look_up({"192.0.2.7", {}, {}}).allow);
    EXPECT_EQ(text.look_up({"192.0.2.8", {}, {}}).rule, "192.0.2.");
    EXPECT_EQ(text.look_up({"198.51.100.1", {}, {}}).rule, std::nullopt);
}

TEST(RulesText, OfEqualKeysTheFirstCounts) {
    const auto text = text_of("10.:allow\n10.:allow,RELAYCLIENT=\"\"\n10.1.:deny\n");
    EXPECT_EQ(text.line_of("10.")->number, 1U);
    EXPECT_EQ(text.lines()[1].counting_keys, 0U);
    EXPECT_EQ(text.lines()[2].counting_keys, 1U);
}

TEST(RulesText, TheLongerNetworkCountsWhereverItStands) {
    const auto text = text_of("10.0.0.0/15:allow\n10.0.0.0/16:deny\n");
    EXPECT_EQ(text.line_of("10.1.")->number, 1U);
    EXPECT_FALSE(text.look_up({"10.0.0.1", {}, {}}).allow);
}

TEST(RulesText, NamesTheFileOfEachLine) {
    const RulesText text({{"tcp.smtp6", "::1:allow\n"}, {"tcp.smtp", "127.0.0.1:allow\n"}});
    EXPECT_EQ(text.line_of("::1")->file, "tcp.smtp6");
    EXPECT_EQ(text.line_of("127.0.0.1")->file, "tcp.smtp");
}

TEST(RulesText, KeepsWhatIsWrong) {
    const auto text = text_of("127.0.0.1:allow\n10.1.2.3:permit\n");
    ASSERT_NE(text.first_wrong(), nullptr);
    EXPECT_EQ(text.first_wrong()->number, 2U);
}

}  // namespace
}  // namespace relais::tcprules
