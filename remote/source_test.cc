#include "remote/source.h"

#include <gtest/gtest.h>

namespace relais::remote {
namespace {

TEST(Source, Families) {
    EXPECT_FALSE(parse_families("4")->v6);
    EXPECT_FALSE(parse_families("6")->v4);
    EXPECT_TRUE(parse_families("46 ")->v4_first);
    EXPECT_FALSE(parse_families("64")->v4_first);
    for (const char* text : {"", "5", "44", "464", "ipv4"}) EXPECT_FALSE(parse_families(text)) << text;
}

TEST(Source, BySenderThenByRecipient) {
    const Sources sources({"192.0.2.1", "2001:DB8::1"},
                          {"@a.example:192.0.2.2|a.example", "@.b.example:[2001:db8::2],192.0.2.3",
                           "c.example:2001:db8::3|c", "d.example:|d.example"});
    EXPECT_EQ(sources.choose("x@A.example", "c.example").v4, "192.0.2.2");
    EXPECT_EQ(sources.choose("x@a.example", "c.example").helo, "a.example");
    EXPECT_EQ(sources.choose("x@a.example", "c.example").v6, "");
    EXPECT_EQ(sources.choose("x@y.b.example", "c.example").v6, "2001:db8::2");
    EXPECT_EQ(sources.choose("x@y.b.example", "c.example").v4, "192.0.2.3");
    EXPECT_EQ(sources.choose("", "C.example").v6, "2001:db8::3");
    EXPECT_EQ(sources.choose("", "d.example").v4, "192.0.2.1");
    EXPECT_EQ(sources.choose("", "d.example").helo, "d.example");
    EXPECT_EQ(sources.choose("x@y", "z").v6, "2001:db8::1");
    EXPECT_EQ(sources.choose("x@y", "z").helo, "");
    EXPECT_EQ(Sources({}, {":192.0.2.9"}).choose("x@y", "z").v4, "192.0.2.9");
    EXPECT_EQ(Sources().choose("x@y", "z").v4, "");
}

TEST(Source, WhatCannotBeReadIsNotUsed) {
    const Sources sources(
        {}, {"a:192.0.2", "b:", "c:192.0.2.1,192.0.2.2", "d:192.0.2.1|", "e:192.0.2.1|x\ty", "f"});
    for (const char* domain : {"a", "b", "c", "d", "e", "f"})
        EXPECT_FALSE(sources.choose("", domain).usable) << domain;
    EXPECT_FALSE(Sources({"eth0"}, {}).choose("", "x").usable);
}

}  // namespace
}  // namespace relais::remote
