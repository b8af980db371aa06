#include "tcprules/address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relais::tcprules {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> keys(std::string_view address) {
    const auto result = keys_of_address(address);
    if (const auto* wrong = std::get_if<Wrong>(&result)) return {"wrong: " + wrong->reason};
    std::vector<std::string> texts;
    for (const Key& key : std::get<std::vector<Key>>(result)) texts.push_back(key.text);
    return texts;
}

bool wrong(std::string_view address) {
    return std::holds_alternative<Wrong>(keys_of_address(address));
}

std::string key_of(const char* ip) {
    return ipv6_key(parse_ipv6(ip).value());
}

}  // namespace

TEST(AddressKeys, TakesClassicAddressesAsTheyAre) {
    for (const char* address : {"", "1.2.3.4", "127.", "=", "=known.edu", "=.abuser.edu", "joe@127.0.0.1",
                                "x@=host", "a:b/c@1.2.3.4", "no.address-at=all"})
        EXPECT_THAT(keys(address), ElementsAre(address));
}

TEST(AddressKeys, ExpandsRangesInTheirFirstNumbers) {
    EXPECT_THAT(keys("1.2.3.37-39"), ElementsAre("1.2.3.37", "1.2.3.38", "1.2.3.39"));
    EXPECT_THAT(keys("10.2-3."), ElementsAre("10.2.", "10.3."));
    EXPECT_THAT(keys("1.2.3.254-999"), ElementsAre("1.2.3.254", "1.2.3.255"));
    EXPECT_THAT(keys("1.2.3.-1"), ElementsAre("1.2.3.0", "1.2.3.1"));
    EXPECT_THAT(keys("1-2.3-4."), ElementsAre("1.3-4.", "2.3-4."));
    EXPECT_TRUE(keys("1.2.3.5-4").empty());
    EXPECT_TRUE(keys("1.2.3.300-400").empty());
    EXPECT_TRUE(wrong("1.2.3.a-4"));
    EXPECT_TRUE(wrong("1.2.3.4-99999999999999999999"));
    EXPECT_THAT(keys("=my-host"), ElementsAre("=my-host"));
    EXPECT_THAT(keys("a-b@1.2.3.4"), ElementsAre("a-b@1.2.3.4"));
}

TEST(AddressKeys, WritesIpv4NetworksAsPrefixes) {
    EXPECT_THAT(keys("10.0.0.0/8"), ElementsAre("10."));
    EXPECT_THAT(keys("10.20.0.0/16"), ElementsAre("10.20."));
    EXPECT_THAT(keys("192.0.2.0/24"), ElementsAre("192.0.2."));
    EXPECT_THAT(keys("192.0.2.9/32"), ElementsAre("192.0.2.9"));
    EXPECT_THAT(keys("192.0.2.8/31"), ElementsAre("192.0.2.8", "192.0.2.9"));
    EXPECT_THAT(keys("172.16.0.0/14"), ElementsAre("172.16.", "172.17.", "172.18.", "172.19."));
    EXPECT_THAT(keys("10.1.252.0/22"), ElementsAre("10.1.252.", "10.1.253.", "10.1.254.", "10.1.255."));
    const auto half = keys("10.0.0.0/9");
    EXPECT_EQ(half.size(), 128u);
    EXPECT_EQ(half.front(), "10.0.");
    EXPECT_EQ(half.back(), "10.127.");
    EXPECT_EQ(keys("192.0.2.128/25").size(), 128u);
    const auto all = keys("0.0.0.0/0");
    EXPECT_EQ(all.size(), 256u);
    EXPECT_EQ(all.back(), "255.");
}

TEST(AddressKeys, RefusesNetworksThatAreNone) {
    for (const char* address : {"10.0.0.0/33", "10.0.0.1/8", "10.0.0.0/", "10.0.0.0/x", "10.0.0.0/-1",
                                "10.0.0/8", "10./8", "/8", "2001:db8::/129", "2001:db8::1/32", "2001:db8:/32",
                                "10.0.0.0/8/8", "1.2.3.4/032x", "joe@10.0.0.0/8", "joe@2001:db8::/32"})
        EXPECT_TRUE(wrong(address)) << address;
}

TEST(AddressKeys, WritesIpv6AsTheIpv6TcpserverDoes) {
    EXPECT_EQ(key_of("::"), "::");
    EXPECT_EQ(key_of("::1"), "::1");
    EXPECT_EQ(key_of("2001:DB8::0001"), "2001:db8::1");
    EXPECT_EQ(key_of("2001:db8:0:1:1:1:1:1"), "2001:db8::1:1:1:1:1");
    EXPECT_EQ(key_of("2001:0:0:1:0:0:0:1"), "2001:0:0:1::1");
    EXPECT_EQ(key_of("2001:db8:1:2:3:4:5:0"), "2001:db8:1:2:3:4:5::");
    EXPECT_EQ(key_of("1:2:3:4:5:6:7:8"), "1:2:3:4:5:6:7:8");
    EXPECT_THAT(keys("[2001:db8::1]"), ElementsAre("2001:db8::1"));
    EXPECT_THAT(keys("2001:db8::0:1"), ElementsAre("2001:db8::1"));
    EXPECT_THAT(keys("joe@[2001:DB8::1]"), ElementsAre("joe@2001:db8::1"));
    EXPECT_THAT(keys("2001:0DB8:"), ElementsAre("2001:db8:"));
    EXPECT_THAT(keys("2001:db8::"), ElementsAre("2001:db8::"));
    EXPECT_THAT(keys(":"), ElementsAre(":"));
    for (const char* address : {"2001:db8::g", "1::2::3", "12345:", "a:b", ":::", "1.2.3.4:", "[1.2.3.4:5]"})
        EXPECT_TRUE(wrong(address)) << address;
}

TEST(AddressKeys, WritesIpv6NetworksForUsAndWhereItCanForTheIpv6Tcpserver) {
    EXPECT_THAT(keys("2001:db8::/32"), ElementsAre("2001:db8::/32", "2001:db8:"));
    EXPECT_THAT(keys("[2001:db8:1::]/48"), ElementsAre("2001:db8:1::/48", "2001:db8:1:"));
    EXPECT_THAT(keys("2001:db8::/33"), ElementsAre("2001:db8::/33"));
    EXPECT_THAT(keys("2001:db8::/48"), ElementsAre("2001:db8::/48"));
    EXPECT_THAT(keys("2001:db8::7/128"), ElementsAre("2001:db8::7"));
    EXPECT_THAT(keys("::/0"), ElementsAre("::/0"));
}

TEST(AddressKeys, TurnsMappedAddressesIntoIpv4) {
    EXPECT_THAT(keys("::ffff:192.0.2.1"), ElementsAre("192.0.2.1"));
    EXPECT_THAT(keys("::ffff:192.0.2.0/120"), ElementsAre("192.0.2."));
    EXPECT_THAT(keys("joe@::ffff:192.0.2.1"), ElementsAre("joe@192.0.2.1"));
}

}  // namespace relais::tcprules
