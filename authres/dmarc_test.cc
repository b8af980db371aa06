#include "authres/dmarc.h"

#include <gtest/gtest.h>

#include "authres/zone.h"

namespace relais::authres {
namespace {

DmarcRecord dmarc_record(std::string_view text) {
    const auto record = parse_dmarc_record(text);
    EXPECT_TRUE(record) << text;
    return record.value_or(DmarcRecord());
}

TEST(DmarcRecord, HasTheFormOfRfc9989) {
    const auto record = dmarc_record(
        "v=DMARC1; p=Reject ;sp=quarantine;np=none; t=y; psd=n; adkim=s; aspf=r; pct=5; x; =; "
        "rua=mailto:a@b.c!10m, https://x.y/z,bad uri");
    EXPECT_EQ(record.policy, DmarcPolicy::reject);
    EXPECT_EQ(record.subdomains, DmarcPolicy::quarantine);
    EXPECT_EQ(record.nonexistent, DmarcPolicy::none);
    EXPECT_TRUE(record.testing && record.strict_dkim && !record.strict_spf && !record.unusable);
    EXPECT_EQ(record.psd, DmarcRecord::Psd::no);
    EXPECT_EQ(record.aggregate_reports, (std::vector<std::string>{"mailto:a@b.c", "https://x.y/z"}));
    for (const char* other : {"", "v=DMARC1x", "v=dmarc1; p=none", "p=none; v=DMARC1", " v=DMARC1; p=none",
                              "v=spf1 -all", "v=DMARC1 p=none"})
        EXPECT_FALSE(parse_dmarc_record(other)) << other;
    EXPECT_TRUE(parse_dmarc_record("v = DMARC1"));
}

TEST(DmarcRecord, AWrongPolicyIsNoneWhereReportsAreWanted) {
    EXPECT_FALSE(dmarc_record("v=DMARC1").unusable);
    EXPECT_EQ(dmarc_record("v=DMARC1").policy, DmarcPolicy::none);
    EXPECT_TRUE(dmarc_record("v=DMARC1; p=bogus").unusable);
    EXPECT_TRUE(dmarc_record("v=DMARC1; p=reject; sp=bogus").unusable);
    const auto reported = dmarc_record("v=DMARC1; p=reject; np=bogus; rua=mailto:a@b.c");
    EXPECT_FALSE(reported.unusable);
    EXPECT_EQ(reported.policy, DmarcPolicy::none);
}

TEST(DmarcRecord, ATreeWalkAsksEightTimesAtMost) {
    EXPECT_EQ(tree_walk("a.mail.example.com"),
              (std::vector<std::string>{"a.mail.example.com", "mail.example.com", "example.com", "com"}));
    const auto names = tree_walk("a.b.c.d.e.f.g.h.i.j.mail.example.com");
    ASSERT_EQ(names.size(), 8U);
    EXPECT_EQ(names[1], "g.h.i.j.mail.example.com");
    EXPECT_EQ(names.back(), "com");
    EXPECT_EQ(tree_walk("a.b.c.d.e.f.g.com").size(), 8U);
    EXPECT_EQ(tree_walk("a.b.c.d.e.f.com").size(), 7U);
    EXPECT_EQ(tree_walk("com").size(), 1U);
    EXPECT_EQ(one_label_below("com", "a.example.com"), "example.com");
    EXPECT_EQ(one_label_below("example.com", "mail.example.com"), "mail.example.com");
}

struct Case {
    std::string from;
    std::string zone;
    std::string spf_pass{};
    std::string dkim_pass{};
};

DmarcOutcome dmarc_of(const Case& c, DkimResult dkim_result = DkimResult::pass) {
    ZoneDns dns(Zone::parse(c.zone, "zone"));
    MessageHeader header;
    header.fields.push_back({"From", "From: " + c.from + "\r\n"});
    SpfOutcome spf;
    spf.domain = c.spf_pass;
    if (!c.spf_pass.empty()) spf.result = SpfResult::pass;
    DkimReport dkim;
    if (!c.dkim_pass.empty()) {
        dkim.signatures.emplace_back();
        dkim.signatures[0].result = dkim_result;
        dkim.signatures[0].domain = c.dkim_pass;
    }
    return check_dmarc(dns, header, spf, dkim, Deadline::never());
}

std::string verdict_of(const Case& c) {
    const auto outcome = dmarc_of(c);
    std::string text(to_text(outcome.result));
    if (!outcome.policy_domain.empty())
        text += " " + std::string(to_text(outcome.published)) + " " + outcome.policy_domain;
    return text;
}

const std::string org =
    "_dmarc.example.com. TXT \"v=DMARC1; p=reject; sp=quarantine; np=none\"\nsub.example.com. A 192.0.2.1\n";

TEST(Dmarc, AlignmentIsByOrganization) {
    EXPECT_EQ(verdict_of({"a@example.com", org, "bounce.example.com"}), "pass reject example.com");
    EXPECT_EQ(verdict_of({"A <a@Sub.Example.Com.>", org, "", "other.example.com"}),
              "pass quarantine example.com");
    EXPECT_EQ(verdict_of({"a@example.com", org, "example.net", "example.org"}), "fail reject example.com");
    EXPECT_EQ(verdict_of({"a@example.com", org, "com"}), "fail reject example.com");
    EXPECT_EQ(verdict_of({"a@example.com", org, "badexample.com"}), "fail reject example.com");
    EXPECT_EQ(verdict_of({"a@example.net", org, "example.net"}), "none");
    const std::string strict = "_dmarc.example.com. TXT \"v=DMARC1; p=reject; aspf=s; adkim=s\"\n";
    EXPECT_EQ(verdict_of({"a@example.com", strict, "b.example.com", "b.example.com"}),
              "fail reject example.com");
    EXPECT_EQ(verdict_of({"a@example.com", strict, "b.example.com", "EXAMPLE.com"}),
              "pass reject example.com");
}

TEST(Dmarc, SubdomainsHaveTheirPolicy) {
    EXPECT_EQ(verdict_of({"a@sub.example.com", org}), "fail quarantine example.com");
    EXPECT_EQ(verdict_of({"a@nowhere.example.com", org}), "fail none example.com");
    EXPECT_EQ(verdict_of({"a@sub.example.com", org + "_dmarc.sub.example.com. TXT \"v=DMARC1; p=none\"\n"}),
              "fail none sub.example.com");
    EXPECT_EQ(
        verdict_of({"a@b.sub.example.com",
                    org + "_dmarc.sub.example.com. TXT \"v=DMARC1; p=none\"\nb.sub.example.com. MX 1 x.\n"}),
        "fail quarantine example.com");
}

TEST(Dmarc, PublicSuffixesEndTheWalk) {
    const std::string psd = "_dmarc.bank. TXT \"v=DMARC1; p=reject; psd=y\"\n";
    EXPECT_EQ(dmarc_of({"a@x.giant.bank", psd}).organizational_domain, "giant.bank");
    EXPECT_EQ(verdict_of({"a@x.giant.bank", psd, "y.giant.bank"}), "pass reject bank");
    EXPECT_EQ(verdict_of({"a@x.giant.bank", psd, "y.other.bank"}), "fail reject bank");
    EXPECT_EQ(verdict_of({"a@bank", psd, "bank"}), "pass reject bank");
    const std::string own = psd +
                            "_dmarc.mail.giant.bank. TXT \"v=DMARC1; p=none; psd=n\"\n_dmarc.giant.bank. TXT "
                            "\"v=DMARC1; p=none\"\n";
    EXPECT_EQ(dmarc_of({"a@x.mail.giant.bank", own}).organizational_domain, "mail.giant.bank");
    EXPECT_EQ(verdict_of({"a@x.mail.giant.bank", own, "giant.bank"}), "fail none mail.giant.bank");
}

TEST(Dmarc, TestModeIsOneStepLess) {
    const auto outcome = dmarc_of({"a@t.example", "_dmarc.t.example. TXT \"v=DMARC1; p=reject; t=y\"\n"});
    EXPECT_EQ(outcome.published, DmarcPolicy::reject);
    EXPECT_EQ(outcome.effective, DmarcPolicy::quarantine);
}

TEST(Dmarc, ADomainWithoutAPolicyBesideAnotherHidesNothing) {
    for (const char* from :
         {"a@none.example, b@example.com", "b@example.com, a@none.example", "a@open.example, b@example.com"})
        EXPECT_EQ(verdict_of({from, org + "_dmarc.open.example. TXT \"v=DMARC1; p=none\"\n", "none.example"}),
                  "fail reject example.com")
            << from;
}

TEST(Dmarc, OddRecordsAndFields) {
    EXPECT_EQ(
        verdict_of(
            {"a@t.example",
             "_dmarc.t.example. TXT \"v=DMARC1; p=none\"\n_dmarc.t.example. TXT \"v=DMARC1; p=reject\"\n"}),
        "none");
    EXPECT_EQ(verdict_of({"a@t.example", "_dmarc.t.example. TXT \"v=DMARC1; p=x\"\n"}),
              "permerror none t.example");
    EXPECT_EQ(verdict_of({"a@t.example", "_dmarc.t.example. TIMEOUT\n"}), "temperror");
    EXPECT_EQ(verdict_of({"a@B\xc3\x9c"
                          "cher.example",
                          "_dmarc.xn--bcher-kva.example. TXT \"v=DMARC1; p=reject\"\n", "",
                          "b\xc3\xbc"
                          "cher.example"}),
              "pass reject xn--bcher-kva.example");
    EXPECT_EQ(verdict_of({"nobody", org}), "permerror");
    EXPECT_EQ(verdict_of({"a@example.com, b@evil.example",
                          org + "_dmarc.evil.example. TXT \"v=DMARC1; p=none\"\n", "example.com"}),
              "fail none evil.example");
    EXPECT_EQ(dmarc_of({"a@example.com", org, "", "x.example.com"}, DkimResult::temperror).result,
              DmarcResult::temperror);
    EXPECT_EQ(dmarc_of({"a@example.com", org, "", "x.example.net"}, DkimResult::temperror).result,
              DmarcResult::fail);
}

}  // namespace
}  // namespace relais::authres
