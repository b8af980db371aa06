#include "sts/policy.h"

#include <gtest/gtest.h>

namespace relais::sts {
namespace {

constexpr const char* good =
    "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\nmax_age: 604800\r\n";

TEST(StsPolicy, AsTheRfcShowsIt) {
    const auto policy = parse_policy(good);
    ASSERT_TRUE(policy);
    EXPECT_EQ(policy->mode, Mode::enforce);
    EXPECT_EQ(policy->max_age, 604800U);
    EXPECT_EQ(policy->mx, (std::vector<std::string>{"mail.example.com", "*.example.net"}));
    EXPECT_EQ(text_of(*policy), good);
    EXPECT_EQ(parse_policy(text_of(*policy)), policy);
}

TEST(StsPolicy, WhatIsLeftOpen) {
    EXPECT_TRUE(parse_policy("version: STSv1\nmode: testing\nmx: a.example\nmax_age: 1"));
    EXPECT_TRUE(parse_policy("version:STSv1\nmode:testing\nmx:a.example\nmax_age:1\n\n"));
    EXPECT_TRUE(parse_policy("version: STSv1 \nmode:  testing\t\nfuture: x\nmx: a.example\nmax_age: 1\n"));
    // Of two fields the first counts.
    EXPECT_EQ(parse_policy("version: STSv1\nmode: testing\nmode: enforce\nmx: a.b\nmax_age: 1\n")->mode,
              Mode::testing);
    EXPECT_EQ(parse_policy("version: STSv1\nmode: none\nmax_age: 1\n")->mode, Mode::none);
    EXPECT_EQ(parse_policy("version: STSv1\nmode: testing\nmx: A.Example.\nmax_age: 1\n")->mx[0],
              "a.example");
}

TEST(StsPolicy, AYearAtMost) {
    EXPECT_EQ(parse_policy("version: STSv1\nmode: none\nmax_age: 9999999999\n")->max_age, longest_age);
    EXPECT_EQ(parse_policy("version: STSv1\nmode: none\nmax_age: 0\n")->max_age, 0U);
}

TEST(StsPolicy, WhatIsNone) {
    for (const char* text :
         {"", "version: STSv1\n", "mode: none\nversion: STSv1\nmax_age: 1\n",
          "version: STSv2\nmode: none\nmax_age: 1\n", "version: STSv1\nmode: strict\nmax_age: 1\n",
          "version: STSv1\nmode: Enforce\nmx: a.example\nmax_age: 1\n",
          "version: STSv1\nmode: enforce\nmax_age: 1\n", "version: STSv1\nmode: testing\nmax_age: 1\n",
          "version: STSv1\nmode: none\n", "version: STSv1\nmax_age: 1\n",
          "version: STSv1\nmode: none\nmax_age: -1\n", "version: STSv1\nmode: none\nmax_age: 1 day\n",
          "version: STSv1\nmode: none\nmax_age: 99999999999\n",
          "version: STSv1\nmode: enforce\nmx: a_b!\nmax_age: 1\n",
          "version: STSv1\nmode: enforce\nmx: *\nmax_age: 1\n",
          "version: STSv1\nmode: enforce\nmx: a.*.b\nmax_age: 1\n",
          "version: STSv1\nmode: enforce\nmx: **.b\nmax_age: 1\n", "<html>404</html>\n",
          "version: STSv1\nmode: none\nmax_age: 1\njunk\n"})
        EXPECT_FALSE(parse_policy(text)) << text;
    EXPECT_FALSE(parse_policy(good + std::string(policy_limit, '\n')));
    std::string many = "version: STSv1\nmode: enforce\nmax_age: 1\n";
    for (std::size_t i = 0; i <= patterns_limit; ++i) many += "mx: a.example\n";
    EXPECT_FALSE(parse_policy(many));
}

TEST(StsPolicy, WhichServersItAdmits) {
    const Policy policy{Mode::enforce, 1, {"mail.example.com", "*.example.net"}};
    EXPECT_TRUE(admits(policy, "mail.example.com"));
    EXPECT_TRUE(admits(policy, "Mail.Example.COM."));
    EXPECT_TRUE(admits(policy, "mx1.example.net"));
    for (const char* name : {"example.com", "a.mail.example.com", "example.net", ".example.net",
                             "a.b.example.net", "mx1example.net", "mail.example.com.evil.test", ""})
        EXPECT_FALSE(admits(policy, name)) << name;
}

TEST(StsRecord, ExactlyOne) {
    const auto id = [](std::vector<std::string> records) { return policy_id(records).value_or("none"); };
    EXPECT_EQ(id({"v=STSv1; id=20160831085700Z;"}), "20160831085700Z");
    EXPECT_EQ(id({"v=spf1 -all", "v=STSv1;id=1"}), "1");
    EXPECT_EQ(id({"v=STSv1; future=x; id = a ;"}), "a");
    EXPECT_EQ(id({}), "none");
    EXPECT_EQ(id({"v=STSv1; id=1", "v=STSv1; id=2"}), "none");
    for (const char* record :
         {"v=STSv1", "v=STSv1;", "v=STSv1; id=", "v=STSv1; id=a-b", "v=STSv2; id=1", "id=1; v=STSv1",
          "v=STSv10; id=1", "v=STSv1; id=1 2", "v=STSv1; id=123456789012345678901234567890123"})
        EXPECT_EQ(id({record}), "none") << record;
    // One that is broken beside one that is not: two.
    EXPECT_EQ(id({"v=STSv1; id=", "v=STSv1; id=2"}), "none");
}

}  // namespace
}  // namespace relais::sts
