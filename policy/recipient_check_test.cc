#include "policy/recipient_check.h"

#include <gtest/gtest.h>

namespace relais::policy {
namespace {

using CheckMode = RecipientCheck::Mode;

TEST(RecipientCheck, IsOffWithoutAFile) {
    EXPECT_TRUE(RecipientCheck().is_off());
    EXPECT_EQ(RecipientCheck().mode_of("example.org"), CheckMode::off);
}

TEST(RecipientCheck, TakesTheFirstLineForAllDomains) {
    EXPECT_EQ(RecipientCheck({"on"}).mode_of("example.org"), CheckMode::on);
    EXPECT_EQ(RecipientCheck({"LOG "}).mode_of("example.org"), CheckMode::log);
}

TEST(RecipientCheck, TakesAWordThatIsNoneForOff) {
    EXPECT_TRUE(RecipientCheck({"yes"}).is_off());
    EXPECT_EQ(RecipientCheck({"on", "example.org\tmaybe"}).mode_of("example.org"), CheckMode::off);
}

TEST(RecipientCheck, HasExceptionsByDomainAndBySuffix) {
    const RecipientCheck check({"on", "Lists.example  off", ".old.example log", "nonsense"});
    EXPECT_EQ(check.mode_of("lists.EXAMPLE"), CheckMode::off);
    EXPECT_EQ(check.mode_of("a.lists.example"), CheckMode::on);
    EXPECT_EQ(check.mode_of("very.old.example"), CheckMode::log);
    EXPECT_EQ(check.mode_of("old.example"), CheckMode::on);
}

TEST(RecipientCheck, MayBeOnForOneDomainAlone) {
    const RecipientCheck check({"off", "example.org on"});
    EXPECT_FALSE(check.is_off());
    EXPECT_EQ(check.mode_of("example.org"), CheckMode::on);
    EXPECT_EQ(check.mode_of("example.net"), CheckMode::off);
}

}  // namespace
}  // namespace relais::policy
