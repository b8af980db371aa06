#include "authres/spf.h"

#include <gtest/gtest.h>

#include "authres/zone.h"

namespace relais::authres {
namespace {

// Answers from a zone, and counts.
class CountingDns final : public Dns {
  public:
    explicit CountingDns(std::string_view text) : zone_(Zone::parse(text, "zone")) {}
    std::vector<net::DnsAnswer> ask_all(std::span<const net::DnsQuestion> questions,
                                        Deadline deadline) override {
        asked += questions.size();
        return zone_.ask_all(questions, deadline);
    }
    std::size_t asked = 0;

  private:
    ZoneDns zone_;
};

SpfOutcome check(std::string_view text, std::string ip, std::string sender,
                 std::string helo = "mx.example.org") {
    CountingDns dns(text);
    return check_spf(dns, {std::move(ip), std::move(helo), std::move(sender)}, Deadline::never());
}

std::string verdict(std::string_view text, std::string ip, std::string sender) {
    return std::string(to_text(check(text, std::move(ip), std::move(sender)).result));
}

std::string syntax(std::string_view record) {
    const auto parsed = parse_spf_record(record);
    const auto* error = std::get_if<SpfSyntaxError>(&parsed);
    return error ? error->text : "right";
}

TEST(SpfRecord, SyntaxIsExact) {
    for (const char* record :
         {"v=spf1", "V=SPF1 -ALL", "v=spf1  a/24//64 mx//0 ~all ", "v=spf1 a:a.example/0 ?include:%{d}",
          "v=spf1 ip4:192.0.2.0/32 ip6:::/0 x-y.z=%{c} exp=a.b.", "v=spf1 exists:%{l1r+-}._spf.%{d2}"})
        EXPECT_EQ(syntax(record), "right") << record;
    for (const char* record : {"v=spf1 a/024",
                               "v=spf1 a/33",
                               "v=spf1 a//129",
                               "v=spf1 a///64",
                               "v=spf1 all:x.y",
                               "v=spf1 ip4:192.0.2.0/",
                               "v=spf1 ip4",
                               "v=spf1 ip6:192.0.2.0",
                               "v=spf1 include",
                               "v=spf1 exists:",
                               "v=spf1 a:nodot",
                               "v=spf1 a:x.1",
                               "v=spf1 redirect=a.b redirect=a.b",
                               "v=spf1 exp=",
                               "v=spf1 -",
                               "v=spf1 =x",
                               "v=spf1 a:%{d0}.x.y",
                               "v=spf1 a:%{z}",
                               "v=spf1 a:%{d",
                               "v=spf1 exists:%{c}.x.y",
                               "v=spf1 -all\n"})
        EXPECT_NE(syntax(record), "right") << record;
}

TEST(Spf, GivesVerdictAndReason) {
    const char* text =
        "example.org. TXT \"v=spf1 ip4:192.0.2.0/24 -all exp=why.example.org\"\nwhy.example.org. TXT \"%{i} "
        "is not ours\"\n";
    auto outcome = check(text, "192.0.2.7", "a@example.org");
    EXPECT_EQ(outcome.result, SpfResult::pass);
    EXPECT_EQ(outcome.reason, "192.0.2.7 matches \"ip4:192.0.2.0/24\" of example.org");
    outcome = check(text, "::ffff:198.51.100.7", "a@example.org");
    EXPECT_EQ(outcome.result, SpfResult::fail);
    EXPECT_EQ(outcome.explanation, "198.51.100.7 is not ours");
    outcome = check(text, "192.0.2.7", "a@none.example");
    EXPECT_EQ(outcome.result, SpfResult::none);
    EXPECT_EQ(outcome.reason, "none.example has no SPF record");
}

TEST(Spf, AnEmptySenderIsCheckedByHelo) {
    const auto outcome =
        check("mx.example.org. TXT \"v=spf1 a -all\"\nmx.example.org. A 192.0.2.1\n", "192.0.2.1", "");
    EXPECT_EQ(outcome.result, SpfResult::pass);
    EXPECT_TRUE(outcome.of_helo);
    EXPECT_EQ(outcome.domain, "mx.example.org");
}

TEST(Spf, AHostileZoneIsAskedABoundedNumberOfTimes) {
    std::string text = "$ORIGIN evil.example.\n";
    for (int i = 0; i < 20; ++i) {
        text += "m" + std::to_string(i) + " TXT \"v=spf1 mx include:m" + std::to_string(i + 1) +
                ".evil.example ptr -all\"\n";
        for (int j = 0; j < 10; ++j)
            text += "m" + std::to_string(i) + " MX 1 h" + std::to_string(100 * i + j) + "\n";
    }
    for (int j = 0; j < 200; ++j) text += "h" + std::to_string(j) + " A 198.51.100.1\n";
    CountingDns dns(text);
    const auto outcome = check_spf(dns, {"192.0.2.1", "evil", "a@m0.evil.example"}, Deadline::never());
    EXPECT_EQ(outcome.result, SpfResult::permerror);
    EXPECT_LE(dns.asked, 130U);
}

TEST(Spf, WhatDnsDoesNotAnswerIsTemporary) {
    EXPECT_EQ(verdict("a.example. TIMEOUT\n", "192.0.2.1", "x@a.example"), "temperror");
    EXPECT_EQ(verdict("a.example. TXT \"v=spf1 a:b.example -all\"\nb.example. TIMEOUT\n", "192.0.2.1",
                      "x@a.example"),
              "temperror");
    EXPECT_EQ(verdict("a.example. TXT \"v=spf1 ip4:192.0.2.1 a:b.example -all\"\nb.example. TIMEOUT\n",
                      "192.0.2.1", "x@a.example"),
              "pass");
}

}  // namespace
}  // namespace relais::authres
