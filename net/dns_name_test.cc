#include "net/dns_name.h"

#include <gtest/gtest.h>

namespace relais::net {
namespace {

TEST(DnsName, Askable) {
    for (const char* name : {"example.org", "a", "_25._tcp.mx.example", "1.2.0.192.in-addr.arpa",
                             "0/25.2.0.192.in-addr.arpa", "x."})
        EXPECT_TRUE(is_askable_name(name)) << name;
    EXPECT_TRUE(is_askable_name(std::string(63, 'a') + ".b"));
}

TEST(DnsName, NotAskable) {
    for (const char* name : {"", ".", "..", "a..b", ".a", "a b", "a\\.b", "a\\046b", "caf\xc3\xa9.example",
                             "[1.2.3.4]", "a@b", "a..", "*.a", "a\nb", "::1"})
        EXPECT_FALSE(is_askable_name(name)) << name;
    EXPECT_FALSE(is_askable_name(std::string("a\0b", 3)));
    EXPECT_FALSE(is_askable_name(std::string(64, 'a') + ".b"));
    std::string longest;
    for (int i = 0; i < 127; ++i) longest += "a.";
    EXPECT_TRUE(is_askable_name(longest.substr(0, 253)));
    EXPECT_FALSE(is_askable_name(longest + "b"));
}

TEST(DnsName, WireForm) {
    const auto name =
        parse_wire_name(std::string("\x03www\x07"
                                    "example\0rest",
                                    17));
    ASSERT_TRUE(name);
    EXPECT_EQ(name->text, "www.example");
    EXPECT_EQ(name->size, 13U);
    EXPECT_EQ(parse_wire_name(std::string("\0", 1))->text, "");
    EXPECT_EQ(parse_wire_name(std::string("\x03"
                                          "a.b\0",
                                          5))
                  ->text,
              "a\\046b");
}

TEST(DnsName, HostileWireForm) {
    EXPECT_FALSE(parse_wire_name(""));
    EXPECT_FALSE(
        parse_wire_name("\x03"
                        "ab"));
    EXPECT_FALSE(
        parse_wire_name("\x03"
                        "abc"));
    EXPECT_FALSE(parse_wire_name("\xc0\x0c"));
    EXPECT_FALSE(parse_wire_name("\x40" + std::string(64, 'a') + std::string(1, '\0')));
    std::string endless;
    for (int i = 0; i < 1000; ++i)
        endless +=
            "\x01"
            "a";
    EXPECT_FALSE(parse_wire_name(endless));
}

}  // namespace
}  // namespace relais::net
