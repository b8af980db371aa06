#include "mail/utf8_address.h"

#include <gtest/gtest.h>

#include <string>

namespace relais::mail {
namespace {

TEST(Utf8Address, IsUtf8WithoutControls) {
    EXPECT_TRUE(is_utf8_address("j\xc3\xbcrgen@m\xc3\xbcnchen.example"));
    EXPECT_TRUE(is_utf8_address("\xe7\x94\xa8\xe6\x88\xb7@\xe4\xbe\x8b\xe5\xad\x90.example"));
    EXPECT_TRUE(is_utf8_address("bob@example.org"));
    EXPECT_TRUE(is_utf8_address(""));
    for (const char* odd : {"j\xfcrgen@example.org",          // Latin-1
                            "a\xc2\x85@example.org",          // U+0085
                            "a\xe2\x80\xae@example.org",      // U+202E
                            "a\xc0\xaf@example.org",          // too long a form
                            "a\xed\xa0\x80@example.org",      // a surrogate
                            "a\xf4\x90\x80\x80@example.org",  // beyond U+10FFFF
                            "bob@m\xfcnchen.example", "bob@\xc3"})
        EXPECT_FALSE(is_utf8_address(odd)) << odd;
    std::string label;
    for (int i = 0; i < 70; ++i) label += "\xc3\xbc";
    EXPECT_FALSE(is_utf8_address("bob@" + label + ".example"));
}

TEST(Utf8Address, AnAsciiFormWhereOnlyTheDomainNeedsIt) {
    EXPECT_EQ(ascii_address("bob@m\xc3\xbcnchen.example"), "bob@xn--mnchen-3ya.example");
    EXPECT_EQ(ascii_address("Bob@Example.ORG"), "Bob@Example.ORG");
    EXPECT_EQ(ascii_address(""), "");
    EXPECT_EQ(ascii_address("j\xc3\xbcrgen@example.org"), std::nullopt);
    EXPECT_EQ(ascii_address("bob@m\xfcnchen.example"), std::nullopt);
}

TEST(Utf8Address, OrcptInBothForms) {
    const std::string address = "j\xc3\xbcrgen+x@\xf0\x9f\x93\xa7.example";
    EXPECT_EQ(encode_utf8_address(address), "j\\x{FC}rgen\\x{2B}x@\\x{1F4E7}.example");
    EXPECT_EQ(decode_utf8_address(encode_utf8_address(address)), address);
    EXPECT_EQ(decode_utf8_address("j\xc3\xbcrgen@example.org"), "j\xc3\xbcrgen@example.org");
    for (const char* odd : {"", "a+2Bb", "a=b", "a b", "\\x{}", "\\x{1}", "\\x{110000}", "\\x{D800}",
                            "\\x{0A}", "\\x{fc}", "\\x{FC", "\\xFC", "a\xff", "\\x{1234567}"})
        EXPECT_EQ(decode_utf8_address(odd), std::nullopt) << odd;
    EXPECT_EQ(encode_utf8_address("a\xff"), "a\\x{FFFD}");
    EXPECT_EQ(ascii_orcpt("utf-8;j\xc3\xb6rg\\x{2B}x@b.test"), "utf-8;j\\x{F6}rg\\x{2B}x@b.test");
    EXPECT_EQ(ascii_orcpt("rfc822;a+2Bb@c.test"), "rfc822;a+2Bb@c.test");
}

}  // namespace
}  // namespace relais::mail
