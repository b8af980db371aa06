#include "inject/compose.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "base/error.h"

namespace relais::inject {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

Settings settings() {
    Settings settings;
    settings.rewriter = {"host", "example.org", "plus.example"};
    settings.id_host = "id.example.org";
    settings.user = settings.sender_user = "joe";
    settings.now = 812090814;
    settings.process = 12345;
    return settings;
}

constexpr const char* stamps =
    "Date: 26 Sep 1995 04:46:54 -0000\n"
    "Message-ID: <19950926044654.12345.qmail@id.example.org>\n";

Composed made(const std::vector<std::string>& fields, const Request& request = {},
              const Settings& with = settings()) {
    return compose(fields, request, with);
}

Request to(std::vector<std::string> arguments) {
    return {RecipientSource::arguments_or_header, {}, std::move(arguments)};
}

std::string header(const std::vector<std::string>& fields, const Settings& with = settings()) {
    return made(fields, {}, with).header;
}

}  // namespace

TEST(Compose, AddsWhatIsMissing) {
    const Composed composed = made({"Subject: x\n"}, to({"fred"}));
    EXPECT_EQ(composed.header, std::string(stamps) +
                                   "From: joe@host.example.org\n"
                                   "Cc: recipient list not shown: ;\n"
                                   "Subject: x\n");
    EXPECT_EQ(composed.sender, "joe@host.example.org");
    EXPECT_THAT(composed.recipients, ElementsAre("fred@host.example.org"));
}

TEST(Compose, KeepsWhatIsThere) {
    const std::string all =
        "Date: x\n"
        "MESSAGE-ID: <y@z>\n"
        "from: a@b.example\n"
        "Cc: c@d.example\n"
        "X: \xff\n";
    EXPECT_EQ(
        header({"Date: x\n", "MESSAGE-ID: <y@z>\n", "from: a@b.example\n", "Cc: c@d.example\n", "X: \xff\n"}),
        all);
}

TEST(Compose, CompletesAddresses) {
    const std::vector<std::pair<std::string, std::string>> cases = {
        {"djb@silverton", "djb@silverton.example.org"},
        {"eric@mammoth.cs+", "eric@mammoth.cs.plus.example"},
        {"eric@mammoth+", "eric@mammoth.plus.example"},
        {"a@b.example.", "a@b.example"},
        {"djb@[128.32.183.163]", "djb@[128.32.183.163]"},
        {"fred", "fred@host.example.org"},
        {"fred@", "fred@host.example.org"},
        {"\"fred joe\"", "\"fred joe\"@host.example.org"},
        {"\"a@b\"", "\"a@b\"@host.example.org"},
        {"<@x,@y:fred@z.example>", "<fred@z.example>"},
        {"a@[]", "a@[]"},
        {"<>", "<>"},
    };
    for (const auto& [before, after] : cases)
        EXPECT_THAT(header({"Reply-To: " + before + "\n"}), HasSubstr("Reply-To: " + after + "\n")) << before;
}

TEST(Compose, CompletesTheDefaultHostToo) {
    Settings plus = settings();
    plus.rewriter.default_host = "host+";
    EXPECT_EQ(made({}, to({"fred"}), plus).recipients[0], "fred@host.plus.example");
}

TEST(Compose, RewritesEveryFieldOfAddresses) {
    for (const char* name :
         {"Sender", "From", "Reply-To", "Return-Receipt-To", "Errors-To", "Resent-Sender", "Resent-From",
          "Resent-Reply-To", "To", "Cc", "Apparently-To", "Resent-To", "Resent-Cc"})
        EXPECT_THAT(header({std::string(name) + ":a@b (c), d\n"}),
                    HasSubstr(std::string(name) + ": a@b.example.org (c), d@host.example.org\n"));
    EXPECT_THAT(header({"Subject:a@b\n"}), HasSubstr("Subject:a@b\n"));
}

TEST(Compose, RemovesWhatNobodyMaySee) {
    const Composed composed = made({"Bcc: secret\n", "To: open\n", "Return-Path: <me@x.example>\n",
                                    "Content-Length: 7\n", "bcc: other\n"});
    EXPECT_THAT(composed.header, Not(HasSubstr("secret")));
    EXPECT_THAT(composed.header, Not(HasSubstr("other")));
    EXPECT_THAT(composed.header, Not(HasSubstr("Return-Path")));
    EXPECT_THAT(composed.header, Not(HasSubstr("Content-Length")));
    EXPECT_THAT(composed.recipients,
                ElementsAre("secret@host.example.org", "open@host.example.org", "other@host.example.org"));
    EXPECT_EQ(composed.sender, "me@x.example");
}

TEST(Compose, TakesRecipientsFromWhereItIsTold) {
    const std::vector<std::string> fields = {"To: a@x.example\n", "Cc: g: b@x.example;\n",
                                             "Apparently-To: c@x.example\n"};
    const auto recipients = [&](RecipientSource source, std::vector<std::string> arguments) {
        return made(fields, {source, {}, std::move(arguments)}).recipients;
    };
    EXPECT_THAT(recipients(RecipientSource::arguments, {"z@x.example"}), ElementsAre("z@x.example"));
    EXPECT_THAT(recipients(RecipientSource::arguments, {}), IsEmpty());
    EXPECT_THAT(recipients(RecipientSource::arguments_or_header, {"z@x.example"}),
                ElementsAre("z@x.example"));
    EXPECT_THAT(recipients(RecipientSource::arguments_or_header, {}),
                ElementsAre("a@x.example", "b@x.example", "c@x.example"));
    EXPECT_THAT(recipients(RecipientSource::header, {"z@x.example"}),
                ElementsAre("a@x.example", "b@x.example", "c@x.example"));
    EXPECT_THAT(recipients(RecipientSource::both, {"z@x.example"}),
                ElementsAre("z@x.example", "a@x.example", "b@x.example", "c@x.example"));
}

TEST(Compose, HandlesAResentMessage) {
    const Composed composed = made({"Resent-To: new@x.example\n", "Resent-Bcc: hidden@x.example\n",
                                    "To: old@x.example\n", "Bcc: older@x.example\n"});
    EXPECT_EQ(composed.header,
              "Resent-Date: 26 Sep 1995 04:46:54 -0000\n"
              "Resent-Message-ID: <19950926044654.12345.qmail@id.example.org>\n"
              "Resent-From: joe@host.example.org\n"
              "Resent-To: new@x.example\n"
              "To: old@x.example\n");
    EXPECT_THAT(composed.recipients, ElementsAre("new@x.example", "hidden@x.example"));
    EXPECT_THAT(header({"Resent-Date: x\n"}), HasSubstr("Resent-Cc: recipient list not shown: ;\n"));
}

TEST(Compose, WritesTheAuthorsName) {
    Settings with = settings();
    with.name = "Joe \"J\" (x)\n";
    EXPECT_THAT(header({"To: a\n"}, with), HasSubstr("From: \"Joe \\\"J\\\" (x)\" <joe@host.example.org>\n"));
    with.address_comment = true;
    EXPECT_THAT(header({"To: a\n"}, with), HasSubstr("From: joe@host.example.org (Joe \"J\" \\(x\\))\n"));
    with.user = "joe smith";
    with.host = "other.example";
    EXPECT_THAT(header({"To: a\n"}, with), HasSubstr("From: \"joe smith\"@other.example (Joe"));
}

TEST(Compose, FindsTheSender) {
    Settings with = settings();
    with.sender_user = "bounces";
    with.sender_host = "s.example";
    const std::vector<std::string> fields = {"Return-Path: <r@p.example>\n", "To: a\n"};
    EXPECT_EQ(made({"To: a\n"}, {}, with).sender, "bounces@s.example");
    EXPECT_EQ(made(fields, {}, with).sender, "r@p.example");
    EXPECT_EQ(made(fields, {RecipientSource::header, "f", {}}, with).sender, "f@host.example.org");
    EXPECT_EQ(made(fields, {RecipientSource::header, "", {}}, with).sender, "");
    EXPECT_EQ(made({"Return-Path: <>\n"}, {}, with).sender, "");
    with.ignore_return_path = true;
    EXPECT_EQ(made(fields, {}, with).sender, "bounces@s.example");
}

TEST(Compose, MarksTheSenderForVerp) {
    Settings with = settings();
    with.verp_per_recipient = true;
    EXPECT_EQ(made({"To: a\n"}, {}, with).sender, "joe-@host.example.org-@[]");
    EXPECT_EQ(made({"Return-Path: <l-@x.example>\n"}, {}, with).sender, "l-@x.example-@[]");
    EXPECT_EQ(made({"Return-Path: <>\n"}, {}, with).sender, "");
    EXPECT_EQ(made({"To: a\n"}, {RecipientSource::header, "f@x.example", {}}, with).sender, "f@x.example");
    with.verp_per_message = true;
    EXPECT_EQ(made({"To: a\n"}, {}, with).sender, "joe-812090814.12345-@host.example.org-@[]");
    with.verp_per_recipient = false;
    EXPECT_EQ(made({"To: a\n"}, {}, with).sender, "joe-812090814.12345@host.example.org");
}

TEST(Compose, DeletesWhatItIsToldTo) {
    Settings with = settings();
    with.delete_from = true;
    with.delete_message_id = true;
    const std::string text = header({"From: forged@x.example\n", "Message-ID: <forged>\n", "To: a\n"}, with);
    EXPECT_THAT(text, Not(HasSubstr("forged")));
    EXPECT_THAT(text, StartsWith(stamps));
    EXPECT_THAT(text, HasSubstr("From: joe@host.example.org\n"));
}

TEST(Compose, AddsMailFollowupTo) {
    Settings with = settings();
    with.followup_lists = {"list@x.example"};
    EXPECT_THAT(header({"To: a@b.example, List@x.example\n"}, with),
                HasSubstr("Mail-Followup-To: a@b.example, List@x.example\n"));
    EXPECT_THAT(header({"To: a@b.example\n"}, with), Not(HasSubstr("Mail-Followup-To")));
    EXPECT_THAT(header({"To: list@x.example\n", "Mail-Followup-To: q\n"}, with),
                Not(HasSubstr("Mail-Followup-To: list")));
    EXPECT_THAT(header({"Bcc: list@x.example\n"}, with), Not(HasSubstr("Mail-Followup-To")));
}

TEST(Compose, RefusesWhatItMustUnderstand) {
    EXPECT_THROW(made({"To: a <b@c\n"}), Error);
    EXPECT_THROW(made({"From: (a\n"}, to({"b"})), Error);
    EXPECT_THROW(made({}, to({"a\nb"})), Error);
    EXPECT_THROW(made({}, {RecipientSource::header, "a\nb", {}}), Error);
    try {
        made({"To: a <b@c\n d\n"});
        ADD_FAILURE();
    } catch (const Error& error) {
        EXPECT_STREQ(error.what(), "unable to parse this line:\nTo: a <b@c\n d");
        EXPECT_EQ(error.reaction(), Reaction::permanent);
    }
}

// Somebody else's message, sent on to an address on the command line, need not be well-formed.
TEST(Compose, KeepsRecipientsItNeedNotUnderstand) {
    EXPECT_THAT(made({"To: a <b@c\n"}, to({"b"})).header, HasSubstr("\nTo: a <b@c\n"));
    EXPECT_THAT(made({"Bcc: a <b@c\n"}, to({"b"})).header, Not(HasSubstr("Bcc")));
}

TEST(Compose, KeepsAnAuthorWhoseBracketIsNeverClosed) {
    EXPECT_THAT(made({"From: foo<bar\n"}, to({"b"})).header, HasSubstr("\nFrom: foo<bar\n"));
    EXPECT_THAT(made({"Reply-To: foo<bar\n"}, to({"b"})).header, HasSubstr("\nReply-To: foo<bar\n"));
    EXPECT_THAT(made({"From: foo<bar\n", "To: b\n"}).header, HasSubstr("\nFrom: foo<bar\n"));
    for (const char* field : {"From: \"foo <bar>\n", "From: (foo bar\n", "Return-Path: foo<bar\n"})
        EXPECT_THROW(made({field}, to({"b"})), Error) << field;
}

TEST(Compose, NeedsOnlyTheFieldsThatNameRecipients) {
    const Composed resent = made({"Resent-To: c@d.example\n", "To: a <b@c\n"});
    EXPECT_THAT(resent.recipients, ::testing::ElementsAre("c@d.example"));
    EXPECT_THROW(made({"Resent-To: c <d@e\n", "To: a@b.example\n"}), Error);
}

TEST(Compose, LeavesNoCarriageReturnsInTheHeader) {
    EXPECT_EQ(header({"To: a@b.example\r\n", "Subject: x\r\n y\r\n"}),
              std::string(stamps) + "From: joe@host.example.org\nTo: a@b.example\nSubject: x\n y\n");
}

// Hours, when each CR moved all that was behind it.
TEST(Compose, TakesALongFieldWithCrLfInTimeThatGrowsWithIt) {
    constexpr int lines = 500000;
    std::string field = "X: a";
    std::string expected = field;
    for (int i = 0; i < lines; ++i) field += "\r\n x", expected += "\n x";
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_TRUE(header({field + "\r\n"}).ends_with(expected + "\n"));
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
}

}  // namespace relais::inject
