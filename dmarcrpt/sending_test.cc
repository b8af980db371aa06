#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "authres/zone.h"
#include "base/error.h"
#include "dmarcrpt/collection.h"
#include "dmarcrpt/destinations.h"
#include "dmarcrpt/letter.h"
#include "dmarcrpt/run_state.h"

namespace relais::dmarcrpt {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const Reporter reporter{"dmarc@here.test", "Here", "mail.here.test"};

Observation seen_from(std::string ip, std::string domain = "far.test") {
    Observation seen;
    seen.ip = std::move(ip);
    seen.domain = domain;
    seen.organization = domain;
    seen.policy = "p=reject sp=none adkim=s aspf=r t=n";
    seen.from = domain;
    seen.mail_from = domain;
    seen.disposition = "none";
    seen.reason = "local_policy what fails is not kept apart here";
    seen.dkim = seen.spf = "fail";
    seen.spf_result = "softfail mfrom " + domain;
    seen.signatures = {"fail " + domain + " s1"};
    return seen;
}

trace::Record record_of(const Observation& seen) {
    const auto records = trace::decode(trace::encode(event_of(seen, 7), 5));
    return records && records->size() == 1 ? records->front() : trace::Record{};
}

TEST(DmarcCollection, LongTextsHaveALimitToo) {
    Collection collection({.octets = 1000});
    Observation seen = seen_from("192.0.2.1");
    seen.signatures = {"fail far.test " + std::string(600, 's')};
    collection.add(seen);
    seen.ip = "192.0.2.2";
    collection.add(seen);
    EXPECT_EQ(collection.report("far.test", reporter, 0, 1).rows.size(), 1U);
}

class Names final : public authres::Dns {
  public:
    std::vector<net::DnsAnswer> ask_all(std::span<const net::DnsQuestion> questions, Deadline) override {
        std::vector<net::DnsAnswer> answers;
        for (const net::DnsQuestion& question : questions) {
            net::DnsAnswer answer = net::DnsAnswer::without_records(
                silent.contains(question.name) ? net::DnsStatus::failed : net::DnsStatus::no_such_name);
            if (const auto found = texts.find(question.name); found != texts.end()) {
                answer.status = net::DnsStatus::found;
                answer.records.push_back({0, found->second});
            }
            answers.push_back(std::move(answer));
        }
        return answers;
    }
    std::map<std::string, std::string> texts{};
    std::set<std::string> silent{};
};

TEST(DmarcObservation, WhatIsToldIsKept) {
    const Observation seen = seen_from("192.0.2.1");
    EXPECT_EQ(observation_of(record_of(seen)), seen);
}

TEST(DmarcObservation, WhatNobodyHasSeenIsNone) {
    for (const auto& spoil : std::vector<void (*)(Observation&)>{
             [](Observation& seen) { seen.ip = "somewhere"; },
             [](Observation& seen) { seen.domain = "far.test\nBcc: x@y.test"; },
             [](Observation& seen) { seen.domain = "../x"; },
             [](Observation& seen) { seen.from = "a b.test"; },
             [](Observation& seen) { seen.reason = "\x1b"; },
             [](Observation& seen) { seen.disposition = "keep"; },
             [](Observation& seen) { seen.dkim = ""; }}) {
        Observation seen = seen_from("192.0.2.1");
        spoil(seen);
        EXPECT_FALSE(observation_of(record_of(seen)));
    }
    trace::Record other = record_of(seen_from("192.0.2.1"));
    other.kind = "accept";
    EXPECT_FALSE(observation_of(other));
}

TEST(DmarcCollection, WhatFaredAlikeIsOneRow) {
    Collection collection;
    for (const char* ip : {"192.0.2.1", "192.0.2.2", "192.0.2.1"}) collection.add(seen_from(ip));
    collection.add(seen_from("192.0.2.1", "other.test"));
    EXPECT_THAT(collection.domains(), ElementsAre("far.test", "other.test"));
    const Report report = collection.report("far.test", reporter, 86400, 172799);
    EXPECT_EQ(report.id, "86400.far.test.mail.here.test");
    EXPECT_EQ(report.p, "reject");
    EXPECT_EQ(report.sp, "none");
    EXPECT_EQ(report.adkim, "s");
    ASSERT_EQ(report.rows.size(), 2U);
    EXPECT_EQ(report.rows[0].count, 2U);
    EXPECT_THAT(report.rows[0].reasons, ElementsAre(std::pair<std::string, std::string>(
                                            "local_policy", "what fails is not kept apart here")));
    EXPECT_THAT(report.rows[0].spf_results, ElementsAre(AuthResult{"far.test", "mfrom", "softfail"}));
    EXPECT_THAT(report.rows[0].dkim_results, ElementsAre(AuthResult{"far.test", "s1", "fail"}));
}

TEST(DmarcCollection, ItIsBoundedAndSaysSo) {
    Collection collection({.domains = 2, .rows = 3, .rows_of_domain = 2});
    for (const char* ip : {"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.3"}) collection.add(seen_from(ip));
    collection.add(seen_from("192.0.2.1", "b.test"));
    collection.add(seen_from("192.0.2.2", "b.test"));
    collection.add(seen_from("192.0.2.1", "c.test"));
    EXPECT_EQ(collection.left_out(), 1U);
    const Report report = collection.report("far.test", reporter, 0, 1);
    EXPECT_EQ(report.rows.size(), 2U);
    EXPECT_THAT(report.errors, ElementsAre(HasSubstr("2 messages are not in this report")));
    EXPECT_EQ(collection.report("b.test", reporter, 0, 1).rows.size(), 1U);
}

TEST(DmarcReporter, OfTheControlFile) {
    const Reporter full = Reporter::parse("dmarc@here.test  Here and There ", "me.test");
    EXPECT_EQ(full.address, "dmarc@here.test");
    EXPECT_EQ(full.organization, "Here and There");
    EXPECT_EQ(Reporter::parse("dmarc@here.test", "me.test").organization, "here.test");
    for (const char* wrong : {"", "here.test", "a@b@", "<a@b.test>", "a b@c.test", "a@b.test \x1b"})
        EXPECT_THROW(Reporter::parse(wrong, "me.test"), Error) << wrong;
}

TEST(DmarcDestinations, OurOwnAndOthersThatAgree) {
    Names dns;
    dns.texts["_dmarc.far.test"] =
        "v=DMARC1; p=none; "
        "rua=mailto:a@far.test!10k,mailto:b@sub.far.test,mailto:c@good.test,mailto:d@bad.test,"
        "https://far.test/x,mailto:e@moved.test";
    dns.texts["far.test._report._dmarc.good.test"] = "v=DMARC1";
    dns.texts["far.test._report._dmarc.moved.test"] =
        "v=DMARC1; rua=mailto:other@moved.test,mailto:x@victim.test";
    const auto found = find_destinations(dns, "far.test", Deadline::never());
    EXPECT_FALSE(found.failed);
    EXPECT_THAT(found.to, ElementsAre(Destination{"a@far.test", 10240}, Destination{"b@sub.far.test", 0},
                                      Destination{"c@good.test", 0}, Destination{"other@moved.test", 0}));
}

TEST(DmarcDestinations, OfTheOrganizationAbove) {
    Names dns;
    dns.texts["_dmarc.mail.far.test"] = "v=DMARC1; p=none; rua=mailto:a@far.test";
    dns.texts["_dmarc.far.test"] = "v=DMARC1; p=none";
    EXPECT_EQ(find_destinations(dns, "mail.far.test", Deadline::never()).to.size(), 1U);
    // A public suffix is not of the organization.
    dns.texts["_dmarc.far.test"] = "v=DMARC1; p=none; psd=y";
    EXPECT_TRUE(find_destinations(dns, "mail.far.test", Deadline::never()).to.empty());
}

TEST(DmarcDestinations, WhileDnsIsSilentNothingIsDecided) {
    Names dns;
    dns.silent = {"_dmarc.far.test"};
    EXPECT_TRUE(find_destinations(dns, "far.test", Deadline::never()).failed);
    dns.silent = {"far.test._report._dmarc.good.test"};
    dns.texts["_dmarc.far.test"] = "v=DMARC1; p=none; rua=mailto:c@good.test";
    const auto found = find_destinations(dns, "far.test", Deadline::never());
    EXPECT_TRUE(found.failed);
    EXPECT_TRUE(found.to.empty());
}

TEST(DmarcDestinations, AddressesOfUris) {
    EXPECT_EQ(address_of("mailto:a@B.test"), "a@b.test");
    EXPECT_EQ(address_of("MAILTO:a%2Bb@c.test?subject=x"), "a+b@c.test");
    for (const char* wrong :
         {"a@b.test", "mailto:", "mailto:a", "mailto:a@", "mailto:@b.test", "mailto:a%0ab@c.test",
          "mailto:a%2@b.test", "mailto:a%zz@b.test", "mailto:a,b@c.test", "mailto:a@[192.0.2.1]",
          "mailto:a@b.test%0d%0aDATA", "mailto:a%20b@c.test"})
        EXPECT_EQ(address_of(wrong), "") << wrong;
}

TEST(DmarcPackets, OnlyWhatMayGoOut) {
    const std::vector<Packet> packets = {
        {Fate::send, "far.test", 1, 2, {"a@far.test"}, std::string("\x1f\x8b\0x", 4)}};
    const auto again = decode_packets(encode(packets));
    ASSERT_TRUE(again && again->size() == 1);
    EXPECT_EQ(again->front().content, packets[0].content);
    for (const Packet& wrong :
         std::vector<Packet>{{Fate::send, "far.test\nBcc: x", 1, 2, {"a@far.test"}, "x"},
                             {Fate::send, "far.test", 1, 2, {"a@far.test\nBcc: x@y.test"}, "x"},
                             {Fate::send, "far.test", 1, 2, {"a@far.test, b@c.test"}, "x"},
                             {Fate::send, "far.test", 1, 2, {}, "x"},
                             {Fate::nowhere, "far.test", 1, 2, {"a@far.test"}, "x"},
                             {static_cast<Fate>('X'), "far.test", 1, 2, {"a@far.test"}, "x"},
                             {Fate::send, "far.test", 1, 2, std::vector<std::string>(9, "a@b.test"), "x"}})
        EXPECT_FALSE(decode_packets(encode({wrong})));
    const std::string whole = encode(packets);
    for (std::size_t size = 1; size < whole.size(); ++size)
        EXPECT_FALSE(decode_packets(whole.substr(0, size)));
}

TEST(DmarcLetter, WhatItSays) {
    const std::string letter =
        letter_of({Fate::send, "far.test", 86400, 172799, {"a@far.test", "b@c.test"}, "x"}, reporter, 0);
    EXPECT_THAT(letter, HasSubstr("\nFrom: dmarc@here.test\nTo: a@far.test,\n b@c.test\n"));
    EXPECT_THAT(letter, HasSubstr("Subject: Report Domain: far.test\n Submitter: mail.here.test\n"
                                  " Report-ID: <86400.far.test.mail.here.test>\n"));
    EXPECT_THAT(letter, HasSubstr("filename=\"mail.here.test!far.test!86400!172799.xml.gz\""));
}

TEST(DmarcRunState, WhatWasSentIsReadAgainAndOldDaysAreForgotten) {
    RunState state;
    state.trying = 7;
    state.late.insert("2026-11-30 b.test");
    state.note_done("2026-10-01", "a.test");
    state.note_done("2026-11-30", "b.test");
    state.note_done("2026-11-29", "*");
    EXPECT_TRUE(state.late.empty());
    state.late.insert("2026-11-30 c.test");
    EXPECT_EQ(parse_run_state(encode(state)), state);
    state.drop_before("2026-11-01");
    EXPECT_FALSE(state.is_done("2026-10-01", "a.test"));
    EXPECT_TRUE(state.is_done("2026-11-29", "*"));
    EXPECT_TRUE(state.is_done("2026-11-30", "b.test"));
    for (const char* wrong : {"", "nonsense\n", "relais dmarcreports 1\ntrying x\n",
                              "relais dmarcreports 1\ndone 2026-11-30\n", "relais dmarcreports 1"})
        EXPECT_FALSE(parse_run_state(wrong)) << wrong;
}

TEST(DmarcCollection, AWildcardInDnsTakesNoMoreThanItsPart) {
    Collection collection({.domains_of_organization = 2});
    for (const char* name : {"a.evil.test", "b.evil.test", "c.evil.test", "d.evil.test"}) {
        Observation seen = seen_from("192.0.2.1", name);
        seen.organization = "evil.test";
        collection.add(std::move(seen));
    }
    collection.add(seen_from("192.0.2.1", "good.test"));
    EXPECT_THAT(collection.domains(), ElementsAre("a.evil.test", "b.evil.test", "good.test"));
    EXPECT_EQ(collection.left_out(), 2U);
}

// Counts what is asked.
class Counting final : public authres::Dns {
  public:
    explicit Counting(Names& names) : names_(names) {}
    std::vector<net::DnsAnswer> ask_all(std::span<const net::DnsQuestion> questions,
                                        Deadline deadline) override {
        asked += questions.size();
        return names_.ask_all(questions, deadline);
    }
    std::size_t asked = 0;

  private:
    Names& names_;
};

TEST(DmarcDestinations, AHostileRecordCannotMakeUsAskWithoutBound) {
    Names names;
    std::string record = "v=DMARC1; p=none; rua=ftp://x.test/,javascript:x";
    for (int i = 0; i < 1000; ++i) record += ",mailto:a@h" + std::to_string(i) + ".victim.test";
    names.texts["_dmarc.far.test"] = record;
    Counting dns(names);
    EXPECT_TRUE(find_destinations(dns, "far.test", Deadline::never()).to.empty());
    EXPECT_LE(dns.asked, 30U);
    record = "v=DMARC1; p=none; rua=mailto:a@1.far.test";
    for (int i = 0; i < 1000; ++i) record += fmt::format(",mailto:a@a.b.c.d.e.f.g.{}.far.test", i);
    names.texts["_dmarc.far.test"] = record;
    dns.asked = 0;
    EXPECT_LE(find_destinations(dns, "far.test", Deadline::never()).to.size(), destinations_limit);
    EXPECT_LE(dns.asked, 110U);
    names.texts["_dmarc.far.test"] = "v=DMARC1; p=none; rua=" + std::string(1 << 20, 'x');
    EXPECT_TRUE(find_destinations(dns, "far.test", Deadline::never()).to.empty());
}

}  // namespace
}  // namespace relais::dmarcrpt
