#include "base/idna.h"

#include <gtest/gtest.h>

namespace relais {

TEST(Idna, LabelsBecomeWhatDnsHas) {
    EXPECT_EQ(ascii_domain("Example.ORG."), "example.org.");
    EXPECT_EQ(ascii_domain("b\xc3\xbc"
                           "cher.example"),
              "xn--bcher-kva.example");
    EXPECT_EQ(ascii_domain("B\xc3\x9c"
                           "CHER.example"),
              "xn--bcher-kva.example");
    EXPECT_EQ(ascii_domain("m\xc3\xbcnchen.de"), "xn--mnchen-3ya.de");
    EXPECT_EQ(ascii_domain("\xd0\x9f\xd1\x80\xd0\xb8\xd0\xbc\xd0\xb5\xd1\x80.\xd1\x80\xd1\x84"),
              "xn--e1afmkfd.xn--p1ai");
    EXPECT_EQ(ascii_domain("\xe4\xbe\x8b\xe3\x81\x88.\xe3\x83\x86\xe3\x82\xb9\xe3\x83\x88"),
              "xn--r8jz45g.xn--zckzah");
}

TEST(Idna, WhatIsNoTextStays) {
    for (const char* odd : {"a\xff.b", "\xc3", "\xed\xa0\x80.x", "\xc0\x80"})
        EXPECT_EQ(ascii_domain(odd), odd);
    std::string long_label;
    for (int i = 0; i < 70; ++i) long_label += "\xc3\xbc";
    EXPECT_EQ(ascii_domain(long_label), long_label);
}

TEST(Idna, SpellingsOfOneAddressAreComparable) {
    EXPECT_EQ(comparable("J\xc3\xb6rg@M\xc3\xbcnchen.DE"), "j\xc3\xb6rg@xn--mnchen-3ya.de");
    EXPECT_EQ(comparable("Bob@Example.ORG"), "bob@example.org");
    EXPECT_EQ(comparable("@m\xc3\xbcnchen.de"), "@xn--mnchen-3ya.de");
    EXPECT_EQ(comparable(".m\xc3\xbcnchen.de"), ".xn--mnchen-3ya.de");
    EXPECT_EQ(comparable("XN--mnchen-3ya.de"), comparable("m\xc3\xbcnchen.de"));
    EXPECT_EQ(comparable("A\xff.Example"), "a\xff.example");
    EXPECT_EQ(comparable(""), "");
}

}  // namespace relais
