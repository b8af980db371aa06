#include "local/srs.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace relais::local {
namespace {

constexpr std::int64_t srs_now = 1'796'000'000;
constexpr std::int64_t a_day = 86400;
const Srs ours("srs.ours.example", {"a long secret", "an older secret"});

TEST(Srs, ASenderComesBack) {
    for (const char* sender : {"joe@far.example", "list-bounces+x=y@far.example", "a b@far.example", "=@x.y",
                               "Joe.Case@Far.Example"}) {
        const auto rewritten = ours.rewrite(sender, srs_now);
        ASSERT_TRUE(rewritten) << sender;
        EXPECT_TRUE(ours.is_rewritten(*rewritten));
        EXPECT_EQ(ours.reverse(*rewritten, srs_now), sender) << *rewritten;
        EXPECT_EQ(lower(ours.reverse(lower(*rewritten), srs_now).value_or("")), lower(sender))
            << "case was lost on the way";
    }
    EXPECT_TRUE(ours.rewrite("joe@far.example", srs_now)->starts_with("SRS0="));
    EXPECT_TRUE(ours.rewrite("joe@far.example", srs_now)->ends_with("=far.example=joe@srs.ours.example"));
}

TEST(Srs, OthersRewrittenSendersComeBackToThem) {
    const Srs second("second.example", {"second's secret"});
    const Srs third("third.example", {"third's secret"});
    const std::string once = *ours.rewrite("joe@far.example", srs_now);
    const std::string twice = *second.rewrite(once, srs_now);
    EXPECT_TRUE(twice.starts_with("SRS1=")) << twice;
    EXPECT_EQ(second.reverse(twice, srs_now), once);
    const std::string thrice = *third.rewrite(twice, srs_now);
    EXPECT_EQ(thrice.find("second"), std::string::npos) << "the one between needs not be asked";
    EXPECT_EQ(third.reverse(thrice, srs_now), once);
    EXPECT_EQ(second.reverse(*second.rewrite("SRS0+abc=d@other.example", srs_now), srs_now),
              "SRS0+abc=d@other.example");
}

TEST(Srs, OnlyWhatWeMadeIsBelieved) {
    const std::string good = *ours.rewrite("joe@far.example", srs_now);
    EXPECT_FALSE(Srs("srs.ours.example", {"another secret"}).reverse(good, srs_now));
    EXPECT_TRUE(Srs("srs.ours.example", {"new secret", "a long secret"}).reverse(good, srs_now));
    EXPECT_FALSE(Srs("other.example", {"a long secret"}).reverse(good, srs_now));
    const std::size_t end = good.find('@');
    for (std::size_t i = 5; i < end; ++i) {
        std::string changed = good;
        changed[i] = changed[i] == 'x' ? 'y' : 'x';
        EXPECT_FALSE(ours.reverse(changed, srs_now)) << changed;
    }
    for (std::size_t cut = 0; cut < end; ++cut)
        EXPECT_FALSE(ours.reverse(good.substr(0, cut) + good.substr(end), srs_now));
    for (const char* wrong : {"", "joe@srs.ours.example", "SRS0@srs.ours.example", "SRS0=@srs.ours.example",
                              "SRS1=a=b@srs.ours.example", "SRS0=AAAAAA=AA=far.example=joe@srs.ours.example",
                              "SRS1=AAAAAA=far.example==x@srs.ours.example"})
        EXPECT_FALSE(ours.reverse(wrong, srs_now)) << wrong;
}

TEST(Srs, ItEndsAfterThreeWeeks) {
    const std::string made = *ours.rewrite("joe@far.example", srs_now);
    EXPECT_TRUE(ours.reverse(made, srs_now + 21 * a_day));
    EXPECT_FALSE(ours.reverse(made, srs_now + 23 * a_day));
    EXPECT_TRUE(ours.reverse(made, srs_now - a_day));
    EXPECT_FALSE(ours.reverse(made, srs_now - 3 * a_day));
    for (std::int64_t day = 0; day < 1100; ++day) {
        const auto each = ours.rewrite("joe@far.example", srs_now + day * a_day);
        EXPECT_TRUE(ours.reverse(*each, srs_now + (day + 20) * a_day)) << day;
    }
}

TEST(Srs, SomeStayAsTheyAre) {
    for (const char* sender :
         {"", "#@[]", "local", "joe@SRS.ours.example", "joe@[192.0.2.1]", "@far.example", "joe@nodot"})
        EXPECT_FALSE(ours.rewrite(sender, srs_now)) << sender;
    EXPECT_FALSE(ours.rewrite(std::string(990, 'x') + "@far.example", srs_now));
    EXPECT_FALSE(Srs("srs.ours.example", {}).rewrite("joe@far.example", srs_now));
    EXPECT_FALSE(Srs("srs.ours.example", {"short"}).works());
    EXPECT_FALSE(Srs().is_rewritten("SRS0=a@"));
}

}  // namespace
}  // namespace relais::local
