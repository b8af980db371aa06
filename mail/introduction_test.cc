#include "mail/introduction.h"

#include <gtest/gtest.h>

namespace relais::mail {

TEST(Introduction, HasAttributes) {
    const auto some = parse_introduction(
        "ADDR=192.0.2.1 name=mx.example  Helo=a+2Bb LOGIN=[UNAVAILABLE] PORT=[tempunavail]");
    ASSERT_TRUE(some);
    EXPECT_EQ(*some, (std::vector<IntroductionAttribute>{{"ADDR", "192.0.2.1"},
                                                         {"NAME", "mx.example"},
                                                         {"HELO", "a+b"},
                                                         {"LOGIN", std::nullopt},
                                                         {"PORT", std::nullopt}}));
    EXPECT_EQ(parse_introduction("LOGIN="), (std::vector<IntroductionAttribute>{{"LOGIN", std::nullopt}}));
}

TEST(Introduction, SaysWhatIsNone) {
    for (const char* text : {"", "ADDR", "=x", "A-B=x", "ADDR=a ADDR=b", "HELO=a+0Ab", "HELO=a+20b",
                             "HELO=a+00b", "HELO=a+2", "HELO=a=b", "HELO=+FF"})
        EXPECT_FALSE(parse_introduction(text)) << text;
    EXPECT_TRUE(parse_introduction("HELO=" + std::string(255, 'x')));
    EXPECT_FALSE(parse_introduction("HELO=" + std::string(256, 'x')));
    std::string many;
    for (char name = 'A'; name < 'A' + 17; ++name) many += std::string(1, name) + "=x ";
    EXPECT_FALSE(parse_introduction(many));
}

TEST(Introduction, HasAddresses) {
    EXPECT_EQ(parse_introduced_address("192.0.2.1"), "192.0.2.1");
    EXPECT_EQ(parse_introduced_address("IPV6:2001:DB8:0::1"), "2001:db8::1");
    EXPECT_EQ(parse_introduced_address("ipv6:::1"), "::1");
    for (const char* text :
         {"", "192.0.2", "2001:db8::1", "IPV6:192.0.2.1", "IPV6:", "fe80::1%eth0", "[192.0.2.1]"})
        EXPECT_FALSE(parse_introduced_address(text)) << text;
}

}  // namespace relais::mail
