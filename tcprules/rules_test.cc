#include "tcprules/rules.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "base/error.h"
#include "base/text.h"
#include "tcprules/compile.h"

namespace relais::tcprules {
namespace {

class Rules : public ::testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = ::testing::TempDir() + "/rules.XXXXXX";
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        directory_ = pattern;
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }

    void compile(std::string_view text) {
        RuleSet rules;
        for (const std::string_view line : split(text, '\n')) {
            auto parsed = parse_rule(line);
            ASSERT_FALSE(std::holds_alternative<Wrong>(parsed)) << line;
            if (auto* rule = std::get_if<Rule>(&parsed)) rules.add(std::move(*rule));
        }
        rules.write(path(), directory_ + "/tmp");
    }
    std::string path() const { return directory_ + "/cdb"; }

    // The value of N in the rule that this client meets: the rules of these tests are told apart by it.
    std::string met(const Client& client) const {
        const Decision decision = RulesFile(path()).look_up(client);
        if (!decision.rule) return "none";
        return decision.variables.empty() ? "no N" : decision.variables.front().second;
    }
    std::string met_by(const std::string& ip) const { return met({ip, {}, {}}); }

  private:
    std::string directory_;
};

}  // namespace

TEST_F(Rules, AreAskedInTcpserversOrder) {
    compile(
        "i@1.2.3.4:allow,N=/1/\ni@=a.b.c:allow,N=/2/\n1.2.3.4:allow,N=/3/\n=a.b.c:allow,N=/4/"
        "\n1.2.3.:allow,N=/5/\n"
        "1.:allow,N=/6/\n=.b.c:allow,N=/7/\n=.c:allow,N=/8/\n=:allow,N=/9/\n:allow,N=/10/\n");
    EXPECT_EQ(met({"1.2.3.4", "a.b.c", "i"}), "1");
    EXPECT_EQ(met({"1.2.3.5", "a.b.c", "i"}), "2");
    EXPECT_EQ(met({"1.2.3.4", "a.b.c", "j"}), "3");
    EXPECT_EQ(met({"1.2.3.5", "a.b.c", {}}), "4");
    EXPECT_EQ(met({"1.2.3.5", "x.b.c", {}}), "5");
    EXPECT_EQ(met({"1.9.9.9", "x.b.c", {}}), "6");
    EXPECT_EQ(met({"9.9.9.9", "x.b.c", {}}), "7");
    EXPECT_EQ(met({"9.9.9.9", "x.y.c", {}}), "8");
    EXPECT_EQ(met({"9.9.9.9", "", {}}), "9");
    EXPECT_EQ(met_by("9.9.9.9"), "10");
    EXPECT_EQ(met_by("unknown"), "10");
}

TEST_F(Rules, AllowWhereThereIsNone) {
    compile("");
    const Decision decision = RulesFile(path()).look_up({"1.2.3.4", {}, {}});
    EXPECT_TRUE(decision.allow);
    EXPECT_FALSE(decision.rule);
}

TEST_F(Rules, DenyKeepsTheKeyThatMatched) {
    compile("127.:deny");
    const Decision decision = RulesFile(path()).look_up({"127.0.0.1", {}, {}});
    EXPECT_FALSE(decision.allow);
    EXPECT_EQ(decision.rule, "127.");
}

TEST_F(Rules, TheFirstOfEqualRulesCounts) {
    compile("1.2.:allow,N=/a/\n1.2.:allow,N=/b/\n1.2.0.0/16:allow,N=/c/");
    EXPECT_EQ(met_by("1.2.3.4"), "a");
}

TEST_F(Rules, TheLongestNetworkCountsWhateverTheOrder) {
    compile(
        "10.0.0.0/9:allow,N=/9/\n10.5.0.0/16:allow,N=/16/\n10.6.:allow,N=/dotted/\n10.4.0.0/14:allow,N=/14/"
        "\n0.0.0.0/0:allow,N=/0/");
    EXPECT_EQ(met_by("10.0.0.1"), "9");
    EXPECT_EQ(met_by("10.5.0.1"), "16");
    EXPECT_EQ(met_by("10.6.0.1"), "dotted");
    EXPECT_EQ(met_by("10.7.0.1"), "14");
    EXPECT_EQ(met_by("10.127.255.255"), "9");
    EXPECT_EQ(met_by("10.128.0.0"), "0");
}

TEST_F(Rules, MappedAddressesMeetTheRulesOfIpv4) {
    compile("192.0.2.:allow,N=/v4/\n::ffff:198.51.100.7:allow,N=/mapped/\n::/0:allow,N=/v6/");
    EXPECT_EQ(met_by("::ffff:192.0.2.1"), "v4");
    EXPECT_EQ(met_by("::FFFF:c000:201"), "v4");
    EXPECT_EQ(met_by("198.51.100.7"), "mapped");
    EXPECT_EQ(met_by("10.0.0.1"), "none");
    EXPECT_EQ(met_by("::1"), "v6");
}

TEST_F(Rules, Ipv6NetworksAndPrefixesStandByTheirLength) {
    compile(
        "2001:db8::/32:allow,N=/32/\n2001:db8:1::allow,N=/text 48/\n2001:db8:1:8000::/49:allow,N=/49/\n"
        "2001:db8::5:allow,N=/exact/\n2001:db8::/33:allow,N=/33/\n2000::/3:allow,N=/3/"
        "\n2001:db8:2:::allow,N=/text/");
    EXPECT_EQ(met_by("2001:db8:8000::1"), "32");
    EXPECT_EQ(met_by("2001:db8:1::1"), "text 48");
    EXPECT_EQ(met_by("2001:db8:1:8000::1"), "49");
    EXPECT_EQ(met_by("2001:0db8:0::5"), "exact");
    EXPECT_EQ(met_by("2001:db8::6"), "33");
    EXPECT_EQ(met_by("3fff::1"), "3");
    EXPECT_EQ(met_by("2001:db8:2::1%eth0"), "text");
    EXPECT_EQ(met_by("4000::1"), "none");
}

TEST_F(Rules, FindsKeysInOtherSpellings) {
    RuleSet rules;
    rules.add({{{"2001:db8:0:1:1:1:1:1", whole_network}}, std::string("+N=other\0", 9)});
    rules.write(path(), path() + ".tmp");
    EXPECT_EQ(met_by("2001:db8:0:1:1:1:1:1"), "other");
}

TEST_F(Rules, OddRecordsDoNoHarm) {
    RuleSet rules;
    rules.add({{{"1.1.1.1", whole_network}}, std::string("\0+\0+=\0X\0+N=y\0+no end", 20)});
    rules.write(path(), path() + ".tmp");
    const Decision decision = RulesFile(path()).look_up({"1.1.1.1", {}, {}});
    EXPECT_TRUE(decision.allow);
    EXPECT_EQ(decision.variables.back().second, "y");
}

}  // namespace relais::tcprules
