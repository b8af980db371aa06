#include "explain/refusal.h"

#include <gtest/gtest.h>

namespace relais::explain {
namespace {

using Refusals = std::vector<Refusal>;

constexpr const char* header =
    "Return-Path: <>\nFrom: MAILER-DAEMON@mx.example\nTo: ann@example.org\nSubject: failure notice\n\n";

TEST(Refusal, a_text_is_one) {
    EXPECT_EQ(read_refusals("550 relay not permitted\n"), (Refusals{{"", "550 relay not permitted"}}));
    EXPECT_EQ(read_refusals("Error: 550 no\n\nmore"), (Refusals{{"", "Error: 550 no\n\nmore"}}));
    EXPECT_EQ(read_refusals(" \n"), Refusals{});
}

TEST(Refusal, paragraphs_of_qmail) {
    const std::string message =
        std::string(header) +
        "Hi. This is the qmail-send program at mx.example.\nI'm afraid ...\n\n"
        "<bob@example.org>:\n192.0.2.1 does not like recipient.\nRemote host said: 550 no\n\n"
        "<carl@example.org>:\nSorry.\n\n--- Below this line is a copy of the message.\n\n"
        "<not@example.org>:\nused\n";
    EXPECT_EQ(read_refusals(message),
              (Refusals{{"bob@example.org", "192.0.2.1 does not like recipient.\nRemote host said: 550 no\n"},
                        {"carl@example.org", "Sorry.\n"}}));
    EXPECT_EQ(read_refusals("<bob@example.org>:\nno\n\n"), (Refusals{{"bob@example.org", "no\n"}}));
}

TEST(Refusal, a_report_by_rfc_3464) {
    const std::string message =
        std::string(header) +
        "--b\nContent-Type: text/plain\n\nSorry.\n\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        "Reporting-MTA: dns; mx.example\r\n\r\nFinal-Recipient: rfc822; bob@example.org\r\nAction: failed\r\n"
        "Status: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1\r\n    User unknown\r\n\r\n"
        "Final-Recipient: rfc822; carl@example.org\nAction: delivered\nStatus: 2.0.0\n\n"
        "Original-Recipient: rfc822;dora@example.org\nAction: failed\nStatus: 5.2.2\n\n"
        "--b\nContent-Type: message/rfc822\n\nFinal-Recipient: rfc822; no@example.org\nStatus: 5.0.0\n";
    EXPECT_EQ(read_refusals(message), (Refusals{{"bob@example.org", "550 5.1.1 User unknown"},
                                                {"dora@example.org", "status 5.2.2"}}));
}

TEST(Refusal, plain_words_of_exim) {
    const std::string message =
        "X-Failed-Recipients: bob@example.org\nFrom: Mail Delivery System <a@b>\n\n"
        "This message was created automatically.\n\n  bob@example.org\n    550 relay not permitted\n\n"
        "------ This is a copy of the message, including all the headers. ------\n\nover quota\n";
    const auto refusals = read_refusals(message);
    ASSERT_EQ(refusals.size(), 1U);
    EXPECT_EQ(refusals[0].recipient, "bob@example.org");
    EXPECT_NE(refusals[0].text.find("relay not permitted"), std::string::npos);
    EXPECT_EQ(refusals[0].text.find("over quota"), std::string::npos);
}

TEST(Refusal, encoded_parts) {
    const std::string base64 =
        "From: a@b\nContent-Transfer-Encoding: base64\nX: y\n\nNTUwIHJlbGF5IG5v\ndCBwZXJtaXR0ZWQ=\n";
    EXPECT_EQ(read_refusals(base64), (Refusals{{"", "550 relay not permitted"}}));
    const std::string quoted =
        "From: a@b\r\nX: y\r\n\r\n--b\r\nContent-Transfer-Encoding: Quoted-Printable\r\n\r\n550 relay "
        "n=\r\not =70ermitted=2\r\n--b\r\n";
    const auto refusals = read_refusals(quoted);
    ASSERT_EQ(refusals.size(), 1U);
    EXPECT_NE(refusals[0].text.find("550 relay not permitted=2"), std::string::npos) << refusals[0].text;
    const std::string wrong = "From: a@b\nContent-Transfer-Encoding: base64\n\n550 no!\n";
    EXPECT_EQ(read_refusals(wrong), (Refusals{{"", "550 no!"}}));
}

TEST(Refusal, charsets_of_one_octet_become_utf8) {
    const std::string head = "From: a@b\nContent-Type: text/plain;\n charset=\"";
    // "нет" in KOI8-R and in windows-1251.
    EXPECT_EQ(read_refusals(head + "KOI8-R\"\n\n550 \xce\xc5\xd4"), (Refusals{{"", "550 нет"}}));
    EXPECT_EQ(read_refusals(head + "windows-1251\"\nContent-Transfer-Encoding: base64\n\nNTUwIO3l8g=="),
              (Refusals{{"", "550 нет"}}));
    EXPECT_EQ(read_refusals(head + "windows-1251\"\n\n550 \x98\xed"), (Refusals{{"", "550 ?н"}}));
    // What is not known, or no table, stays as it is.
    EXPECT_EQ(read_refusals(head + "iso-2022-cn-ext\"\n\n550 \xed"), (Refusals{{"", "550 \xed"}}));
    EXPECT_EQ(read_refusals(head + "koi8-../x\"\n\n550 \xed"), (Refusals{{"", "550 \xed"}}));
    const std::string parts =
        "From: a@b\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain; "
        "charset=koi8-r\n\n"
        "550 \xce\xc5\xd4\n-- \n-----\n\xce\xc5\xd4\n--b--\n";
    const auto refusals = read_refusals(parts);
    ASSERT_EQ(refusals.size(), 1U);
    EXPECT_NE(refusals[0].text.find("550 нет\n-- \n-----\nнет\n"), std::string::npos) << refusals[0].text;
}

TEST(Refusal, many_are_cut) {
    std::string text;
    for (int i = 0; i < 3000; ++i) text += "<a@b>:\nno\n\n";
    EXPECT_EQ(read_refusals(text).size(), refusals_limit);
}

}  // namespace
}  // namespace relais::explain
