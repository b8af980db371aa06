#include "authres/zone.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace relais::authres {
namespace {

using net::DnsStatus, net::RecordType;

Zone zone(std::string_view text) {
    return Zone::parse(text, "zone");
}

std::string zone_error(std::string_view text) {
    try {
        zone(text);
    } catch (const Error& error) {
        return error.what();
    }
    return "";
}

std::string first(const Zone& zone, RecordType type, std::string_view name) {
    const auto answer = zone.answer(type, name);
    return answer.records.empty() ? "-" : answer.records.front().text;
}

TEST(Zone, ReadsWhatRfc1035Has) {
    const Zone z = zone(
        "$ORIGIN example.org.\n$TTL 1h ; a comment\n"
        "@ IN SOA ns hostmaster ( 1 3600 ; serial\n 600 86400 60 )\n"
        "  NS ns\n"
        "  300 IN MX 10 mx.example.net.\n  IN 300 MX 20 mx\n"
        "mx A 192.0.2.1\n A 192.0.2.2\n AAAA 2001:DB8::1\n"
        "txt TXT \"one \" two \"; three\" ( \"four\"\n \"\\\"five\\065\" )\r\n"
        "www CNAME mx\nnet.example.com. PTR host.Example.Org.\n");
    const auto mx = z.answer(RecordType::mx, "EXAMPLE.org.");
    ASSERT_EQ(mx.records.size(), 2U);
    EXPECT_EQ(mx.records[0].preference, 10);
    EXPECT_EQ(mx.records[0].text, "mx.example.net");
    EXPECT_EQ(mx.records[1].text, "mx.example.org");
    EXPECT_EQ(mx.ttl, 300U);
    EXPECT_EQ(z.answer(RecordType::a, "www.example.org").records.size(), 2U);
    EXPECT_EQ(z.answer(RecordType::a, "www.example.org").canonical_name, "mx.example.org");
    EXPECT_EQ(z.answer(RecordType::a, "mx.example.org").ttl, 3600U);
    EXPECT_EQ(first(z, RecordType::aaaa, "mx.example.org"), "2001:db8::1");
    EXPECT_EQ(first(z, RecordType::txt, "txt.example.org"), "one two; threefour\"fiveA");
    EXPECT_EQ(first(z, RecordType::ptr, "net.example.com"), "host.Example.Org");
}

TEST(Zone, TellsNoSuchNameFromNoSuchRecord) {
    const Zone z = zone("$ORIGIN test.\na.b A 192.0.2.1\n*.w TXT wild\nx.w A 192.0.2.2\n");
    EXPECT_EQ(z.answer(RecordType::mx, "a.b.test").status, DnsStatus::no_such_record);
    EXPECT_EQ(z.answer(RecordType::a, "b.test").status, DnsStatus::no_such_record);
    EXPECT_EQ(z.answer(RecordType::a, "c.test").status, DnsStatus::no_such_name);
    EXPECT_EQ(z.answer(RecordType::a, "elsewhere.example").status, DnsStatus::no_such_name);
    EXPECT_EQ(first(z, RecordType::txt, "any.deep.w.test"), "wild");
    EXPECT_EQ(z.answer(RecordType::a, "any.w.test").status, DnsStatus::no_such_record);
    EXPECT_EQ(z.answer(RecordType::txt, "x.w.test").status, DnsStatus::no_such_record);
    EXPECT_EQ(z.answer(RecordType::txt, "y.x.w.test").status, DnsStatus::no_such_name);
    EXPECT_EQ(z.answer(RecordType::a, "a..test").status, DnsStatus::no_such_name);
}

TEST(Zone, ANameMayHaveNoAnswer) {
    const Zone z = zone(
        "$ORIGIN test.\nall TIMEOUT\nrest A 192.0.2.1\nrest TIMEOUT\none TXT x\none A 192.0.2.1\none "
        "SERVFAIL TXT AAAA\n"
        "loop CNAME pool\npool CNAME loop\n");
    EXPECT_EQ(z.answer(RecordType::a, "all.test").status, DnsStatus::failed);
    EXPECT_EQ(z.answer(RecordType::a, "rest.test").status, DnsStatus::found);
    EXPECT_EQ(z.answer(RecordType::txt, "rest.test").status, DnsStatus::failed);
    EXPECT_EQ(z.answer(RecordType::txt, "one.test").status, DnsStatus::failed);
    EXPECT_EQ(z.answer(RecordType::a, "one.test").status, DnsStatus::found);
    EXPECT_EQ(z.answer(RecordType::mx, "one.test").status, DnsStatus::no_such_record);
    EXPECT_EQ(z.answer(RecordType::a, "loop.test").status, DnsStatus::failed);
}

TEST(Zone, NamesMayHaveAnyOctets) {
    const Zone z = zone("a\\032b\\.c.test. A 192.0.2.1\nsp\\032ace.test. A 192.0.2.2\n");
    EXPECT_EQ(first(z, RecordType::a, "sp ace.test"), "192.0.2.2");
    EXPECT_EQ(first(z, RecordType::a, "a b.c.test"), "-");
}

TEST(Zone, ARecordCountsOnce) {
    const Zone z = zone("a.test. TXT same\nA.test. TXT \"sa\" \"me\"\na.test. TXT other\n");
    EXPECT_EQ(z.answer(RecordType::txt, "a.test").records.size(), 2U);
}

TEST(Zone, SaysWhereItIsWrong) {
    EXPECT_EQ(zone_error("\n\na.test. A 192.0.2.256\n"), "zone:3: \"192.0.2.256\" is no IPv4 address");
    EXPECT_EQ(zone_error("a.test. AAAA 192.0.2.1\n"), "zone:1: \"192.0.2.1\" is no IPv6 address");
    EXPECT_EQ(zone_error("a.test. TXT \"x\n\n"), "zone:1: a quote or parenthesis has no other half");
    EXPECT_EQ(zone_error("a.test. TXT ( x\n\n"), "zone:1: a quote or parenthesis has no other half");
    EXPECT_EQ(zone_error("a.test. BOGUS x\n"), "zone:1: \"BOGUS\" is no type of a record");
    EXPECT_EQ(zone_error(" A 192.0.2.1\n"), "zone:1: the first record has no owner");
    EXPECT_EQ(zone_error("a.test. MX mx.test.\n"), "zone:1: the record has too many or too few words");
    EXPECT_EQ(zone_error("$INCLUDE /etc/passwd\n"),
              "zone:1: $INCLUDE is not read here, only $ORIGIN and $TTL");
    EXPECT_EQ(zone_error("a..test. A 192.0.2.1\n"), "zone:1: \"a..test.\" is no domain name");
    EXPECT_EQ(zone_error("a.test. IN 5\n"), "zone:1: the record has no type");
}

}  // namespace
}  // namespace relais::authres
