#include "tlsrpt/report.h"

#include <gtest/gtest.h>

#include <string>

#include "packed/unpack.h"
#include "sasl/base64.h"
#include "tlsrpt/words.h"

namespace relais::tlsrpt {
namespace {

// The example of RFC 8460, appendix B, in our words.
const std::string example = R"({
  "organization-name": "Company-X",
  "date-range": {"start-datetime": "2026-04-01T00:00:00Z", "end-datetime": "2026-04-01T23:59:59Z"},
  "contact-info": "sts-reporting@company-x.example",
  "report-id": "5065427c-23d3-47ca-b6e0-946ea0e8c4be",
  "policies": [{
    "policy": {"policy-type": "sts", "policy-string": ["version: STSv1", "mode: testing"],
               "policy-domain": "company-y.example", "mx-host": ["*.mail.company-y.example"]},
    "summary": {"total-successful-session-count": 5326, "total-failure-session-count": 303},
    "failure-details": [
      {"result-type": "certificate-expired", "sending-mta-ip": "2001:db8:abcd:0012::1",
       "receiving-mx-hostname": "mx1.mail.company-y.example", "failed-session-count": 100},
      {"result-type": "starttls-not-supported", "sending-mta-ip": "2001:db8:abcd:0013::1",
       "receiving-mx-hostname": "mx2.mail.company-y.example", "receiving-ip": "203.0.113.56",
       "failed-session-count": 200, "additional-information": "https://reports.company-x.example/x"},
      {"result-type": "validation-failure", "sending-mta-ip": "198.51.100.62", "receiving-ip": "203.0.113.58",
       "receiving-mx-hostname": "mx-backup.mail.company-y.example", "failed-session-count": 3,
       "failure-reason-code": "X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED"}]}]})";

std::string folded(const std::string& base64, const std::string& line_end) {
    std::string out;
    for (std::size_t at = 0; at < base64.size(); at += 76) out += base64.substr(at, 76) + line_end;
    return out;
}

std::string message(const std::string& type, const std::string& line_end) {
    const std::string body = folded(sasl::encode_base64(packed::gzip(example)), line_end);
    std::string out;
    for (const std::string& line :
         {std::string("From: a@company-x.example"), std::string("TLS-Report-Domain: company-y.example"),
          std::string("Content-Type: multipart/report; report-type=\"tlsrpt\";"),
          std::string("\tboundary=\"b\""), std::string(), std::string("--b"),
          std::string("Content-Type: text/plain"), std::string(), std::string("This is a report."),
          std::string("--b"), "Content-Type: " + type, std::string("Content-Transfer-Encoding: base64"),
          std::string()})
        out += line + line_end;
    return out + body + "--b--" + line_end;
}

std::vector<Report> reports_in(std::string_view file) {
    auto found = read_reports(file);
    if (const auto* complaint = std::get_if<Complaint>(&found)) {
        ADD_FAILURE() << complaint->text;
        return {};
    }
    return std::get<std::vector<Report>>(found);
}

std::string complaint_of(std::string_view file) {
    const auto found = read_reports(file);
    const auto* complaint = std::get_if<Complaint>(&found);
    return complaint != nullptr ? complaint->text : "none";
}

void expect_example(const std::vector<Report>& reports) {
    ASSERT_EQ(reports.size(), 1U);
    const Report& report = reports[0];
    EXPECT_EQ(report.organization, "Company-X");
    EXPECT_EQ(report.successes(), 5326U);
    EXPECT_EQ(report.failures(), 303U);
    ASSERT_EQ(report.policies.size(), 1U);
    EXPECT_EQ(report.policies[0].type, "sts");
    EXPECT_EQ(report.policies[0].servers, std::vector<std::string>{"*.mail.company-y.example"});
    ASSERT_EQ(report.policies[0].details.size(), 3U);
    EXPECT_EQ(report.policies[0].details[1].server_ip, "203.0.113.56");
    EXPECT_EQ(report.policies[0].details[2].reason, "X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED");
}

TEST(TlsReport, AsItComes) {
    expect_example(reports_in(example));
    expect_example(reports_in(packed::gzip(example)));
    for (const std::string line_end : {"\n", "\r\n"}) {
        expect_example(reports_in(message("application/tlsrpt+gzip; name=\"x.json.gz\"", line_end)));
        expect_example(reports_in(message("application/gzip; name=\"a!b!1!2.json.gz\"", line_end)));
        expect_example(reports_in("Subject: x" + line_end + "Content-Type: application/tlsrpt+json" +
                                  line_end + line_end + example));
    }
}

TEST(TlsReport, InWords) {
    const std::string text = text_of(reports_in(example));
    EXPECT_NE(text.find("company-y.example (sts): 5326 encrypted, 303 failed\n"), std::string::npos) << text;
    EXPECT_NE(text.find("    certificate-expired: 100 sessions, from 2001:db8:abcd:0012::1, to mx1.mail."),
              std::string::npos)
        << text;
    EXPECT_NE(text.find("Renew it"), std::string::npos);
    EXPECT_NE(json_of(reports_in(example)).find("\"failures\": 303"), std::string::npos);
}

TEST(TlsReport, WordsOfOthersCommandNoTerminal) {
    const std::string text =
        text_of(reports_in(R"({"organization-name": "\u001b[31m\u202ered", "policies": [{}]})"));
    EXPECT_EQ(text.find('\x1b'), std::string::npos);
    EXPECT_EQ(text.find("\xe2\x80\xae"), std::string::npos);
}

TEST(TlsReport, WhatIsNoneIsTold) {
    EXPECT_EQ(complaint_of(""), "it is no report, and no message that has one");
    EXPECT_EQ(complaint_of("Subject: x\n\nhello\n"), "it is no report, and no message that has one");
    EXPECT_EQ(complaint_of("{"), "it is no JSON object");
    EXPECT_EQ(complaint_of("{}"), "it has no policies, as a report of RFC 8460 has");
    EXPECT_EQ(complaint_of(packed::gzip(example).substr(0, 100)), "its gzip is damaged or cut off");
    EXPECT_EQ(
        complaint_of("Content-Type: application/tlsrpt+gzip\nContent-Transfer-Encoding: base64\n\n!!\n"),
        "its base64 is none");
    const std::string deep = std::string(100000, '[') + std::string(100000, ']');
    EXPECT_EQ(complaint_of("{\"policies\": " + deep + "}"), "its JSON is deeper than that of any report");
}

TEST(TlsReport, ABombIsNotUnpacked) {
    EXPECT_EQ(complaint_of(packed::gzip(std::string(50 << 20, ' '))),
              "unpacked it is larger than any report is");
    EXPECT_EQ(complaint_of("{" + std::string(json_limit, ' ') + "}"), "it is longer than any report is");
}

TEST(TlsReport, OddValuesAreNothing) {
    const auto reports = reports_in(R"({"organization-name": 7, "date-range": [], "policies": [
        7, {"policy": "x",
            "summary": {"total-failure-session-count": -1, "total-successful-session-count": 1e99},
        "failure-details": {"a": 1}}, {"policy": {"mx-host": "mx.test"}, "failure-details": [1, {}]}]})");
    ASSERT_EQ(reports.size(), 1U);
    EXPECT_EQ(reports[0].organization, "");
    EXPECT_EQ(reports[0].failures(), 0U);
    EXPECT_EQ(reports[0].policies.size(), 3U);
    EXPECT_EQ(reports[0].policies[2].servers, std::vector<std::string>{"mx.test"});
    text_of(reports);
}

}  // namespace
}  // namespace relais::tlsrpt
