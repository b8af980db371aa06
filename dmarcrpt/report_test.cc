#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/columns.h"
#include "base/utf8.h"
#include "dmarcrpt/words.h"
#include "packed/unpack.h"
#include "sasl/base64.h"

namespace relais::dmarcrpt {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr std::string_view old_form = R"(<?xml version="1.0" encoding="UTF-8" ?>
<feedback>
  <report_metadata><org_name>Far &amp; Sons</org_name><email>dmarc@far.test</email>
    <extra_contact_info>https://far.test</extra_contact_info><report_id>17</report_id>
    <date_range><begin>1764460800</begin><end>1764547199</end></date_range></report_metadata>
  <policy_published><domain>mail.test</domain><adkim>r</adkim><aspf>s</aspf><p>none</p>
    <sp>reject</sp><pct>100</pct>
  </policy_published>
  <record><row><source_ip>192.0.2.1</source_ip><count>10</count>
      <policy_evaluated><disposition>none</disposition>
        <dkim>pass</dkim><spf>fail</spf></policy_evaluated></row>
    <identifiers><header_from>mail.test</header_from></identifiers>
    <auth_results><dkim><domain>mail.test</domain><result>pass</result><selector>a</selector></dkim>
      <spf><domain>mail.test</domain><result>fail</result></spf></auth_results></record>
  <record><row><source_ip>2001:db8::7</source_ip><count>3</count>
      <policy_evaluated><disposition>quarantine</disposition><dkim>fail</dkim><spf>fail</spf>
        <reason><type>local_policy</type><comment>arc=pass</comment></reason></policy_evaluated></row>
    <identifiers><envelope_from>spam.test</envelope_from>
      <header_from>MAIL.test</header_from></identifiers>
    <auth_results>
      <spf><domain>spam.test</domain><scope>mfrom</scope><result>pass</result></spf></auth_results></record>
</feedback>
)";

Found found_in(std::string_view file) {
    Room room = room_of_all;
    return read_reports(file, room);
}

std::string complaint_of(std::string_view file) {
    return found_in(file).trouble;
}

std::vector<Report> reports_in(std::string_view file) {
    Found found = found_in(file);
    EXPECT_EQ(found.trouble, "");
    return std::move(found.reports);
}

std::string feedback(std::string_view inside) {
    return "<feedback>" + std::string(inside) + "</feedback>";
}

TEST(DmarcReport, TheFormOfRfc7489) {
    const auto reports = reports_in(old_form);
    ASSERT_EQ(reports.size(), 1U);
    const Report& report = reports[0];
    EXPECT_EQ(report.organization, "Far & Sons");
    EXPECT_EQ(report.begin, 1764460800U);
    EXPECT_EQ(report.aspf, "s");
    EXPECT_EQ(report.messages(), 13U);
    EXPECT_EQ(report.passed(), 10U);
    EXPECT_THAT(report.rows[0].dkim_results, ElementsAre(AuthResult{"mail.test", "a", "pass"}));
    EXPECT_THAT(report.rows[1].reasons,
                ElementsAre(std::pair<std::string, std::string>("local_policy", "arc=pass")));
}

TEST(DmarcReport, WhoSendsInOurName) {
    const auto sources = sources_of(reports_in(old_form));
    ASSERT_EQ(sources.size(), 2U);
    EXPECT_EQ(sources[0].ip, "2001:db8::7");
    EXPECT_EQ(sources[0].domain, "mail.test");
    EXPECT_EQ(sources[0].stopped, 3U);
    EXPECT_THAT(sources[0].names, ElementsAre("spam.test"));
    EXPECT_EQ(sources[1].dkim, 10U);
    EXPECT_EQ(sources[1].spf, 0U);
    EXPECT_THAT(sources[1].reporters, ElementsAre("Far & Sons"));
    EXPECT_EQ(sources[1].begin, 1764460800U);
    EXPECT_EQ(sources[1].end, 1764547199U);
}

TEST(DmarcReport, EntitiesAreNotExpanded) {
    const std::string laughs =
        "<?xml version=\"1.0\"?><!DOCTYPE feedback [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;\">]>" +
        feedback("<record><row><source_ip>&b;</source_ip></row></record>");
    EXPECT_EQ(complaint_of(laughs), "its XML has a document type, which no report needs");
    EXPECT_EQ(complaint_of("<!DOCTYPE feedback SYSTEM \"file:///etc/passwd\">" + feedback("")),
              "its XML has a document type, which no report needs");
}

TEST(DmarcReport, LimitsAreKept) {
    std::string deep;
    for (int i = 0; i < 100; ++i) deep += "<record>";
    EXPECT_EQ(complaint_of("<feedback>" + deep), "its XML is deeper than that of any report");
    std::string rows;
    for (std::size_t i = 0; i <= room_of_file.rows; ++i) rows += "<record/>";
    EXPECT_EQ(complaint_of(feedback(rows)), "it has more rows than are read");
    const std::string longest(100'000, 'x');
    const auto cut =
        reports_in(feedback("<report_metadata><org_name>" + longest + "</org_name></report_metadata>"));
    EXPECT_EQ(cut[0].organization.size(), text_limit);
    EXPECT_EQ(complaint_of("<feedback>" + std::string(room_of_file.octets, ' ') + "</feedback>"),
              "it is longer than any report is");
    const std::string bomb = packed::gzip(feedback(std::string(2 << 20, ' ')));
    EXPECT_EQ(complaint_of(bomb), "unpacked it is larger than any report is");
}

TEST(DmarcReport, AllFilesHaveOneRoom) {
    const std::string two_rows =
        feedback("<record/><record><auth_results><dkim/><spf/></auth_results></record>");
    Room room{3 * two_rows.size(), 3, 100};
    EXPECT_EQ(read_reports(two_rows, room).reports.size(), 1U);
    EXPECT_EQ(room.rows, 1U);
    EXPECT_EQ(room.items, 98U);
    const Found second = read_reports(two_rows, room);
    EXPECT_TRUE(second.reports.empty());
    EXPECT_EQ(second.trouble, "it has more rows than are read");
    read_reports(packed::gzip(two_rows), room);
    EXPECT_EQ(room.octets, 0U);
    EXPECT_EQ(read_reports(packed::gzip(two_rows), room).trouble, "unpacked it is larger than any report is");
    Room narrow{1000, 10, 1};
    EXPECT_EQ(read_reports(two_rows, narrow).trouble, "it has more results than are read");
}

TEST(DmarcReport, ALongTextIsCutBetweenCharacters) {
    std::string longest = "x";
    while (longest.size() < 2 * text_limit) longest += "\xe2\x82\xac";
    const auto reports = reports_in(
        feedback("<report_metadata><org_name>" + longest + "<!-- -->more</org_name></report_metadata>"));
    const std::string& cut = reports[0].organization;
    EXPECT_LE(cut.size(), text_limit);
    EXPECT_GT(cut.size(), text_limit - 4);
    std::string_view rest = cut;
    while (!rest.empty()) ASSERT_TRUE(take_utf8(rest));
    EXPECT_FALSE(cut.ends_with("more"));
}

TEST(DmarcReport, ALongListKeepsItsFirst) {
    std::string results;
    for (std::size_t i = 0; i <= list_limit; ++i)
        results += "<dkim><domain>d" + std::to_string(i) + ".test</domain></dkim>";
    const auto reports =
        reports_in(feedback("<record><auth_results>" + results + "</auth_results></record>"));
    const auto& kept = reports[0].rows[0].dkim_results;
    ASSERT_EQ(kept.size(), list_limit);
    EXPECT_EQ(kept.back().domain, "d99.test");
}

TEST(DmarcReport, OneThatIsBadKeepsNoOtherFromBeingTold) {
    const auto part = [](const std::string& xml) {
        return "--x\nContent-Type: application/gzip\nContent-Transfer-Encoding: base64\n\n" +
               sasl::encode_base64(packed::gzip(xml)) + "\n";
    };
    const Found found = found_in("Content-Type: multipart/mixed; boundary=x\n\n" + part("<feedback>") +
                                 part(std::string(old_form)) + part("<html/>") + "--x--\n");
    EXPECT_EQ(found.reports.size(), 1U);
    EXPECT_THAT(found.trouble, HasSubstr("its XML is wrong in line 1"));
}

TEST(DmarcReport, SpellingsOfOneAddressAreOneSource) {
    const auto row = [](const std::string& ip, const std::string& result) {
        return "<record><row><source_ip>" + ip +
               "</source_ip><count>1</count><policy_evaluated><disposition>" + "Reject</disposition><dkim>" +
               result + "</dkim></policy_evaluated></row></record>";
    };
    const auto sources = sources_of(reports_in(
        feedback(row("2001:DB8::0007", "Pass") + row("2001:db8:0::7", "fail") + row("x", "fail"))));
    ASSERT_EQ(sources.size(), 2U);
    EXPECT_EQ(sources[0].ip, "2001:db8::7");
    EXPECT_EQ(sources[0].messages, 2U);
    EXPECT_EQ(sources[0].dkim, 1U);
    EXPECT_EQ(sources[0].stopped, 2U);
}

TEST(DmarcReport, NobodyMakesTheTableWide) {
    Report report;
    report.organization = std::string(500, 'o') + ".test";
    report.rows.resize(2);
    report.rows[0].ip = std::string(500, '1');
    for (int i = 0; i < 30; ++i)
        report.rows[1].dkim_results.push_back({std::string(60, 'n') + std::to_string(i), "", "pass"});
    report.rows[1].header_from = std::string(500, 'd');
    const std::string words = text_of({report});
    std::string_view table = std::string_view(words).substr(words.find("\n\n") + 2);
    while (!table.empty()) {
        EXPECT_LE(columns_of(table.substr(0, table.find('\n'))), 230U);
        table.remove_prefix(table.find('\n') + 1);
    }
    EXPECT_THAT(words, HasSubstr("d…"));
}

TEST(DmarcReport, WhatIsNoReport) {
    EXPECT_EQ(complaint_of(""), "it is no report, and no message that has one");
    EXPECT_EQ(complaint_of("Subject: x\n\nhello\n"), "it is no report, and no message that has one");
    EXPECT_EQ(complaint_of("<html/>"), "its XML is no report of DMARC");
    EXPECT_THAT(complaint_of("<feedback>"), HasSubstr("its XML is wrong in line 1"));
    EXPECT_EQ(complaint_of(packed::gzip(old_form).substr(0, 100)), "its gzip is damaged or cut off");
    EXPECT_EQ(reports_in(feedback("<record><row><count>-1</count></row></record>"))[0].messages(), 0U);
    EXPECT_EQ(
        reports_in(feedback("<record/><record><auth_results><dkim/></auth_results></record>"))[0].rows.size(),
        2U);
}

TEST(DmarcReport, AMessageOfAnyType) {
    const std::string packed = sasl::encode_base64(packed::gzip(old_form));
    for (const std::string type : {"application/gzip", "application/octet-stream; name=x", "text/plain"}) {
        const std::string mail = "Subject: Report\nMIME-Version: 1.0\nContent-Type: " + type +
                                 "\nContent-Transfer-Encoding: base64\n\n" + packed + "\n";
        EXPECT_EQ(reports_in(mail).size(), 1U) << type;
    }
    const std::string parts = "Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: text/xml\n\n" +
                              std::string(old_form) + "--x\nContent-Type: text/plain\n\n<p>\n--x--\n";
    EXPECT_EQ(reports_in(parts).size(), 1U);
}

TEST(DmarcReport, WordsOfOthersCommandNoTerminal) {
    Report report;
    report.organization = "\x1b]0;x\x07";
    report.rows.resize(1);
    report.rows[0].ip = "1\n2";
    report.rows[0].header_from = "\x1b[2J";
    report.rows[0].spf_results = {{"a\nb", "", "pass"}};
    const std::string words = text_of({report});
    EXPECT_THAT(words, Not(HasSubstr("\x1b")));
    EXPECT_EQ(std::count(words.begin(), words.end(), '\n'), 4);
}

}  // namespace
}  // namespace relais::dmarcrpt
