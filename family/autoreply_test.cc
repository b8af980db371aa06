#include "family/autoreply.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relais::family {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::Optional;

TEST(Autoreply, WhoGetsNoAnswer) {
    for (const char* sender :
         {"", "#@[]", "joe", "MAILER-DAEMON@a.example", "owner-list@a.example", "list-owner@a.example",
          "List-REQUEST@a.example", "x-bounces@a.example", "noreply@a.example", "Do-Not-Reply@a.example"})
        EXPECT_TRUE(reason_for_silence({}, sender)) << sender;
    for (const char* sender :
         {"joe@a.example", "request@a.example", "noreply.joe@a.example", "owner@a.example"})
        EXPECT_FALSE(reason_for_silence({}, sender)) << sender;
}

TEST(Autoreply, WhatGetsNoAnswer) {
    for (const char* field :
         {"Auto-Submitted: auto-replied\n", "Precedence: Bulk\n", "List-Unsubscribe: <mailto:x>\n",
          "X-Auto-Response-Suppress: All\n", "X-Spam-Flag: YES\n", "X-Spam-Status: Yes, score=9\n",
          "Authentication-Results: a.example; dkim=none;\n DMARC=fail header.from=b.example\n",
          "Received-SPF: Fail (a)\n"})
        EXPECT_TRUE(reason_for_silence({"Subject: x\n", field}, "joe@a.example")) << field;
    for (const char* field :
         {"Auto-Submitted: no\n", "X-Spam-Status: No, score=0\n", "X-Spam-Flag: NO\n",
          "Authentication-Results: a.example; dmarc=pass; spf=softfail\n", "Received-SPF: softfail\n"})
        EXPECT_FALSE(reason_for_silence({field}, "joe@a.example")) << field;
}

TEST(Autoreply, OneOfTheAddressesIsNamed) {
    const std::vector<std::string> own{"bert-info@b.example", "info@b.example"};
    EXPECT_THAT(named_address({"To: x@y.example,\n \"I\" <INFO@B.example>\n"}, own), Optional(own[1]));
    EXPECT_THAT(named_address({"To: x@y.example\n", "cc: Group: bert-info@b.example;\n"}, own),
                Optional(own[0]));
    EXPECT_FALSE(named_address({"To: x@y.example\n", "Bcc: info@b.example\n", "To: <<\n"}, own));
    EXPECT_FALSE(named_address({}, own));
}

Occasion occasion() {
    return {"anna@b.example", "joe smith@a.example", 0, 7};
}

TEST(Autoreply, TheAnswer) {
    const std::string answer = answer_to({"Subject: When\n do we meet?\n", "Message-ID: <1@a.example>\n"},
                                         "I am away.\n", occasion());
    EXPECT_EQ(answer,
              "Date: 1 Jan 1970 00:00:00 -0000\n"
              "Message-ID: <19700101000000.7.qmail@b.example>\n"
              "From: <anna@b.example>\n"
              "To: <\"joe smith\"@a.example>\n"
              "Subject: Auto: When do we meet?\n"
              "In-Reply-To: <1@a.example>\n"
              "References: <1@a.example>\n"
              "Auto-Submitted: auto-replied\n"
              "Precedence: bulk\n"
              "\n"
              "I am away.\n");
}

TEST(Autoreply, AHeaderOfItsOwner) {
    const std::string answer =
        answer_to({"Subject: Hello\n"}, "From: Anna <anna@b.example>\nSubject: Away: $SUBJECT\n\nFort.\n\nA.",
                  occasion());
    EXPECT_THAT(answer, HasSubstr("\nFrom: Anna <anna@b.example>\nSubject: Away: Hello\n"));
    EXPECT_THAT(answer, HasSubstr("\n\nFort.\n\nA.\n"));
    EXPECT_THAT(answer, Not(HasSubstr("Auto: ")));
    EXPECT_THAT(answer, Not(HasSubstr("From: <")));
    // What only looks like a header is text.
    for (const std::string text :
         {"Note: away\n\nbye\n", "Subject: x\nTo: y@z.example\n\nbye\n", "Hi\nSubject: x\n"})
        EXPECT_THAT(
            answer_to({}, text, occasion()),
            HasSubstr("\nSubject: Auto: your message\nAuto-Submitted: auto-replied\nPrecedence: bulk\n\n" +
                      text));
    EXPECT_THAT(answer_to({}, "Subject: x\n", occasion()), testing::EndsWith("Precedence: bulk\n\n"));
    EXPECT_THAT(answer_to({}, "", occasion()), testing::EndsWith("Precedence: bulk\n\n"));
}

TEST(Autoreply, MoreThanAscii) {
    EXPECT_THAT(
        answer_to({}, "Je suis parti \xc3\xa0 la mer\n", occasion()),
        HasSubstr("\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nJe"));
    EXPECT_THAT(answer_to({}, "\xe9t\xe9\n", occasion()), Not(HasSubstr("charset")));
    EXPECT_THAT(answer_to({}, "Content-Type: text/html\n\n\xc3\xa0\n", occasion()),
                Not(HasSubstr("charset")));
}

TEST(Autoreply, ADomainBeyondAsciiHasALabels) {
    Occasion joe = occasion();
    joe.sender =
        "Joe@b\xc3\xbc"
        "cher.example";
    EXPECT_THAT(answer_to({}, "x\n", joe), HasSubstr("\nTo: <Joe@xn--bcher-kva.example>\n"));
    joe.sender = "Joe@Example.ORG";
    EXPECT_THAT(answer_to({}, "x\n", joe), HasSubstr("\nTo: <Joe@Example.ORG>\n"));
}

TEST(Autoreply, WhatStrangersWriteMakesNoFields) {
    for (const char* subject :
         {"Subject: a\rBcc: x@y.example\n", "Subject: \x1b[2J\n", "Subject: \xc3\xa0\n", "Subject:\n"})
        EXPECT_THAT(answer_to({subject}, "x\n", occasion()), HasSubstr("\nSubject: Auto: ")) << subject;
    EXPECT_THAT(answer_to({"Subject: a\n\tBcc: x\n"}, "x\n", occasion()),
                HasSubstr("\nSubject: Auto: a Bcc: x\n"));
    EXPECT_THAT(answer_to({"Subject: " + std::string(500, 'x') + "\n"}, "x\n", occasion()),
                HasSubstr("\nSubject: Auto: your message\n"));
    // A mark within what replaces the mark stays.
    EXPECT_THAT(answer_to({"Subject: $SUBJECT\n"}, "Subject: re $SUBJECT\n\nx\n", occasion()),
                HasSubstr("\nSubject: re $SUBJECT\n"));
}

TEST(Autoreply, WhoHasHadOne) {
    Answered answered(
        "400 old@a.example\n401 Joe Smith@a.example\nnonsense\n900 x@a.example\n2000 later@a.example\n", 1000,
        600);
    EXPECT_FALSE(answered.has("old@a.example"));
    EXPECT_FALSE(answered.has("later@a.example"));
    EXPECT_TRUE(answered.has("X@A.example"));
    answered.add("New@a.example", 1000);
    EXPECT_TRUE(answered.has("new@a.example"));
    EXPECT_EQ(answered.lines(), "401 joe smith@a.example\n1000 new@a.example\n900 x@a.example\n");
    EXPECT_FALSE(answered.is_full());
    std::string many;
    for (int n = 0; n < 1200; ++n) many += "900 u" + std::to_string(n) + "@a.example\n";
    EXPECT_TRUE(Answered(many, 1000, 600).is_full());
    EXPECT_FALSE(Answered(many, 1000, 0).is_full());
}

}  // namespace
}  // namespace relais::family
