#include "send/bounce.h"

#include <gtest/gtest.h>

#include "send/log_text.h"

namespace relais::send {
namespace {

const BounceSettings bounce_settings{"MAILER-DAEMON", "mail.example", "postmaster@mail.example", 0};

TEST(Bounce, TextOctetByOctet) {
    const auto envelope = bounce_envelope(bounce_settings, "joe@far.example");
    ASSERT_TRUE(envelope);
    EXPECT_EQ(envelope->sender, "");
    EXPECT_EQ(envelope->recipient, "joe@far.example");
    const std::string paragraphs =
        bounce_paragraph("ann@gone.example", "Sorry, no mailbox here by that name. (#5.1.1)\n");
    EXPECT_EQ(bounce_head(bounce_settings, *envelope, "joe@far.example", paragraphs, 812090814),
              "Date: 26 Sep 1995 04:46:54 -0000\n"
              "From: MAILER-DAEMON@mail.example\n"
              "To: joe@far.example\n"
              "Subject: failure notice\n"
              "\n"
              "Hi. This is the qmail-send program at mail.example.\n"
              "I'm afraid I wasn't able to deliver your message to the following addresses.\n"
              "This is a permanent error; I've given up. Sorry it didn't work out.\n"
              "\n"
              "<ann@gone.example>:\n"
              "Sorry, no mailbox here by that name. (#5.1.1)\n"
              "\n"
              "--- Below this line is a copy of the message.\n"
              "\n"
              "Return-Path: <joe@far.example>\n");
}

TEST(Bounce, TheHeaderHasNoOtherLettersThanItMust) {
    const auto to = [](std::string_view sender) {
        const std::string head =
            bounce_header(bounce_settings, *bounce_envelope(bounce_settings, sender), "x", 0);
        const std::size_t begin = head.find("To: ");
        return head.substr(begin, head.find('\n', begin) - begin);
    };
    EXPECT_EQ(to("joe@b\u00fccher.example"), "To: joe@xn--bcher-kva.example");
    EXPECT_EQ(to("j\u00f6rg@b\u00fccher.example"), "To: j\u00f6rg@b\u00fccher.example");
    EXPECT_EQ(to("Joe@Far.example"), "To: Joe@Far.example");
    EXPECT_EQ(to("joe@b\xfc.example"), "To: joe@b\xfc.example");
}

TEST(Bounce, DoubleBounce) {
    const auto envelope = bounce_envelope(bounce_settings, "");
    ASSERT_TRUE(envelope);
    EXPECT_EQ(envelope->sender, "#@[]");
    EXPECT_EQ(envelope->recipient, "postmaster@mail.example");
    const std::string head = bounce_head(bounce_settings, *envelope, "", "<a@b>:\nx\n\n", 0);
    EXPECT_NE(
        head.find("I tried to deliver a bounce message to this address, but the bounce bounced!\n\n<a@b>:\n"),
        std::string::npos);
    EXPECT_NE(head.find("--- Below this line is the original bounce.\n\nReturn-Path: <>\n"),
              std::string::npos);
}

TEST(Bounce, TripleBounceIsDiscarded) {
    EXPECT_FALSE(bounce_envelope(bounce_settings, "#@[]"));
}

TEST(Bounce, VerpGoesToTheOwner) {
    EXPECT_EQ(bounce_envelope(bounce_settings, "list-@lists.example-@[]")->recipient, "list-@lists.example");
}

TEST(Bounce, AParagraphHasNoBlankLine) {
    EXPECT_EQ(bounce_paragraph("a@b", "one\n\n\ntwo\n\n"), "<a@b>:\none\n/\n/\ntwo\n\n");
    EXPECT_EQ(bounce_paragraph("a\nb@c", ""), "<a_b@c>:\n\n");
    EXPECT_EQ(bounce_paragraph("a@b", "\nx"), "<a@b>:\n/\nx\n\n");
}

TEST(LogText, LineEndsAndUnsafeOctets) {
    EXPECT_EQ(log_text("did 0+0+1\n"), "did_0+0+1/");
    EXPECT_EQ(log_text("192.0.2.1 accepted message.\nRemote host said: 250 ok\r"),
              "192.0.2.1_accepted_message./Remote_host_said:_250_ok_/");
    EXPECT_EQ(log_text("100%\xff"), "100__/");
    EXPECT_EQ(log_text(""), "");
}

}  // namespace
}  // namespace relais::send
