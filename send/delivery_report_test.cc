#include "send/delivery_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relais::send {
namespace {

using testing::HasSubstr;
using testing::Not;

BounceSettings settings_of(BounceFormat format) {
    return {"MAILER-DAEMON", "mail.example", "postmaster@mail.example", 0, format, "5a17"};
}

RecipientFacts some_facts() {
    return {"ann@gone.example",
            "rfc822;ann+2Bx@old.example",
            "5.1.1",
            "550 5.1.1 no such user",
            "192.0.2.1 does not like recipient.",
            "mx.gone.example",
            "",
            812090800};
}

DeliveryReport some_report(ReportKind kind) {
    DeliveryReport report;
    report.kind = kind;
    report.text = parse_bounce_text(bounce_paragraph("ann@gone.example", "no such user (#5.1.1)") +
                                    encode(some_facts()));
    report.message = 812080000000000;
    report.sender = "joe@far.example";
    report.now = 812090814;
    report.expires = 812090000;
    return report;
}

TEST(RecipientFacts, ComeBackFromABounceText) {
    const std::string text = bounce_paragraph("ann@gone.example", "no") + encode(some_facts()) +
                             bounce_paragraph("bob@gone.example", "Sorry. (#5.2.1)\nmore");
    const BounceText parsed = parse_bounce_text(text);
    EXPECT_EQ(parsed.paragraphs, "<ann@gone.example>:\nno\n\n<bob@gone.example>:\nSorry. (#5.2.1)\nmore\n\n");
    ASSERT_EQ(parsed.recipients.size(), 2u);
    EXPECT_EQ(parsed.recipients[0].address, "ann@gone.example");
    EXPECT_EQ(parsed.recipients[0].orcpt, "rfc822;ann+2Bx@old.example");
    EXPECT_EQ(parsed.recipients[0].reply, "550 5.1.1 no such user");
    EXPECT_EQ(parsed.recipients[0].when, 812090800);
    EXPECT_EQ(parsed.recipients[1].address, "bob@gone.example");
    EXPECT_EQ(parsed.recipients[1].status, "5.2.1");
    EXPECT_EQ(parsed.recipients[1].reason, "Sorry. (#5.2.1)");
}

TEST(RecipientFacts, ATextCutAnywhereKeepsItsParagraphs) {
    const std::string paragraph = bounce_paragraph("ann@gone.example", "no");
    const std::string text = paragraph + encode(some_facts());
    for (std::size_t size = paragraph.size(); size < text.size(); ++size) {
        const BounceText parsed = parse_bounce_text(std::string_view(text).substr(0, size));
        EXPECT_EQ(parsed.paragraphs, paragraph) << size;
        ASSERT_EQ(parsed.recipients.size(), 1u) << size;
    }
    EXPECT_TRUE(parse_bounce_text("").recipients.empty());
    EXPECT_EQ(parse_bounce_text("There are more.\n\n").paragraphs, "There are more.\n\n");
}

TEST(DeliveryReport, AFailureOctetByOctet) {
    const BounceSettings settings = settings_of(BounceFormat::both);
    const DeliveryReport report = some_report(ReportKind::failure);
    const std::string prose =
        "Hi. This is the qmail-send program at mail.example.\n"
        "I'm afraid I wasn't able to deliver your message to the following addresses.\n"
        "This is a permanent error; I've given up. Sorry it didn't work out.\n"
        "\n"
        "<ann@gone.example>:\n"
        "no such user (#5.1.1)\n"
        "\n"
        "--- Below this line is a copy of the message.\n"
        "\n";
    EXPECT_EQ(report_head(settings, *bounce_envelope(settings, report.sender), report),
              "Date: 26 Sep 1995 04:46:54 -0000\n"
              "From: MAILER-DAEMON@mail.example\n"
              "To: joe@far.example\n"
              "Subject: failure notice\n"
              "Message-ID: <812090814.812080000000000.f.5a17@mail.example>\n"
              "Auto-Submitted: auto-replied\n"
              "MIME-Version: 1.0\n"
              "Content-Type: multipart/report; report-type=delivery-status;\n"
              "\tboundary=\"=_812080000000000.812090814.5a17\"\n"
              "Content-Transfer-Encoding: 8bit\n"
              "\n" +
                  prose +
                  "--=_812080000000000.812090814.5a17\n"
                  "Content-Type: text/plain; charset=utf-8\n"
                  "Content-Transfer-Encoding: 8bit\n"
                  "\n" +
                  prose +
                  "--=_812080000000000.812090814.5a17\n"
                  "Content-Type: message/delivery-status\n"
                  "\n"
                  "Reporting-MTA: dns; mail.example\n"
                  "Arrival-Date: 26 Sep 1995 01:46:40 -0000\n"
                  "\n"
                  "Original-Recipient: rfc822; ann+x@old.example\n"
                  "Final-Recipient: rfc822; ann@gone.example\n"
                  "Action: failed\n"
                  "Status: 5.1.1\n"
                  "Remote-MTA: dns; mx.gone.example\n"
                  "Diagnostic-Code: smtp; 550 5.1.1 no such user\n"
                  "Last-Attempt-Date: 26 Sep 1995 04:46:40 -0000\n"
                  "\n"
                  "--=_812080000000000.812090814.5a17\n"
                  "Content-Type: message/rfc822\n"
                  "Content-Transfer-Encoding: 8bit\n"
                  "\n"
                  "Return-Path: <joe@far.example>\n");
    EXPECT_EQ(report_tail(settings, report), "\n--=_812080000000000.812090814.5a17--\n");
}

TEST(DeliveryReport, OnlyBothHasTheProseBeforeTheParts) {
    const BounceSettings settings = settings_of(BounceFormat::dsn);
    const DeliveryReport report = some_report(ReportKind::failure);
    EXPECT_THAT(report_head(settings, *bounce_envelope(settings, report.sender), report),
                HasSubstr("5a17\"\nContent-Transfer-Encoding: 8bit\n\n--=_"));
}

TEST(DeliveryReport, NeitherADelayNorADeliveryLooksLikeAFailure) {
    const BounceSettings settings = settings_of(BounceFormat::both);
    for (const ReportKind kind : {ReportKind::delay, ReportKind::success}) {
        DeliveryReport report = some_report(kind);
        report.header_only = true;
        report.options.envid = "QQ+2B1";
        const std::string head = report_head(settings, *bounce_envelope(settings, report.sender), report);
        EXPECT_THAT(head, Not(HasSubstr("Hi. This is the")));
        EXPECT_THAT(head, Not(HasSubstr("failed")));
        EXPECT_THAT(head, HasSubstr("\nOriginal-Envelope-Id: QQ+1\n"));
        EXPECT_THAT(head, HasSubstr("\nContent-Type: text/rfc822-headers"));
        EXPECT_THAT(head,
                    HasSubstr(kind == ReportKind::delay ? "\nAction: delayed\n" : "\nAction: delivered\n"));
    }
    DeliveryReport relayed = some_report(ReportKind::success);
    relayed.text.recipients[0].relayed = "yes";
    EXPECT_THAT(report_head(settings, *bounce_envelope(settings, relayed.sender), relayed),
                HasSubstr("\nAction: relayed\n"));
}

TEST(DeliveryReport, AddressesInUtf8NeedTheirOwnKind) {
    const BounceSettings settings = settings_of(BounceFormat::dsn);
    DeliveryReport report = some_report(ReportKind::failure);
    report.text.recipients[0].reply = "550 \xc3\xa4";
    const auto head = [&] {
        return report_head(settings, *bounce_envelope(settings, report.sender), report);
    };
    EXPECT_THAT(head(), HasSubstr("Diagnostic-Code: smtp; 550 ??\n"));
    report.text.recipients[0].address = "j\xc3\xbcrgen@gone.example";
    EXPECT_THAT(head(), HasSubstr("report-type=global-delivery-status"));
    EXPECT_THAT(head(), HasSubstr("\nContent-Type: message/global-delivery-status\n"));
    EXPECT_THAT(head(), HasSubstr("\nFinal-Recipient: utf-8; j\xc3\xbcrgen@gone.example\n"));
}

TEST(DeliveryReport, WordsOfOthersAreCleaned) {
    EXPECT_EQ(clean_lines("a\x1b[31mred\n\xc2\x9b"
                          "31m \xe2\x80\xaex\n\xff\n"),
              "a_[31mred\n__31m ___x\n_\n");
    EXPECT_EQ(clean_lines("no end"), "no end");
    EXPECT_EQ(clean_lines(std::string(1800, 'a') + "\nb\n"),
              std::string(900, 'a') + "\n" + std::string(900, 'a') + "\nb\n");
}

}  // namespace
}  // namespace relais::send
