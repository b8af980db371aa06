#include "tcprules/compile.h"

#include <gtest/gtest.h>

namespace relais::tcprules {
namespace {

Rule rule(std::string_view line) {
    return std::get<Rule>(parse_rule(line));
}
bool nothing(std::string_view line) {
    return std::holds_alternative<Nothing>(parse_rule(line));
}
bool wrong_line(std::string_view line) {
    return std::holds_alternative<Wrong>(parse_rule(line));
}

}  // namespace

TEST(ParseRule, MakesTheDataOfARecord) {
    EXPECT_EQ(rule("1.2.3.4:deny").data, std::string("D\0", 2));
    EXPECT_EQ(rule("1.2.3.4:allow").data, "");
    EXPECT_EQ(rule("127.:allow,RELAYCLIENT=\"\",A=/b\"c/").data, std::string("+RELAYCLIENT=\0+A=b\"c\0", 21));
    EXPECT_EQ(rule(":allow,which==fourth=").data, std::string("+which=fourth\0", 14));
    EXPECT_EQ(rule("a:deny,X=\"1\" \t").data, std::string("D\0+X=1\0", 7));
}

TEST(ParseRule, SkipsWhatIsNoRule) {
    for (const char* line : {"", "# a:b", "#1.2.3.4:deny", "no colon", "   ", "allow"})
        EXPECT_TRUE(nothing(line)) << line;
}

TEST(ParseRule, RefusesEverythingElse) {
    for (const char* line :
         {"1.2.3.4:", "1.2.3.4:perhaps", "1.2.3.4: allow", "1.2.3.4:allow ,X=\"\"", "1.2.3.4:allow,",
          "1.2.3.4:allow,X", "1.2.3.4:allow,X=", "1.2.3.4:allow,X=\"", "1.2.3.4:allow,X=\"y",
          "1.2.3.4:allowance", "1.2.3.4:denyX", "1.2.3.4:allow,X=\"y\"z", "1.2.3.4:deny\r",
          "1.2.3.4:allow,X=\"y\"\r", "2001:db8::1", "x:y:allow", "1.2.3.4:allowance:deny",
          " # a: comment that begins with a blank"})
        EXPECT_TRUE(wrong_line(line)) << line;
    EXPECT_TRUE(wrong_line(std::string_view("1.2.3.4:allow,X=\"a\0b\"", 21)));
}

TEST(ParseRule, FindsTheColonThatEndsAnIpv6Address) {
    EXPECT_EQ(rule("2001:db8::1:allow").keys.at(0).text, "2001:db8::1");
    EXPECT_EQ(rule("2001:db8::allow").keys.at(0).text, "2001:db8:");
    EXPECT_EQ(rule("::1:deny").keys.at(0).text, "::1");
    EXPECT_EQ(rule("[::1]:deny").keys.at(0).text, "::1");
    EXPECT_EQ(rule("::deny").keys.at(0).text, ":");
    EXPECT_EQ(rule(":deny").keys.at(0).text, "");
    EXPECT_EQ(rule("2001:db8::/32:allow,X=\":deny\"").keys.at(0).text, "2001:db8::/32");
}

}  // namespace relais::tcprules
