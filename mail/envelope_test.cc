#include "mail/envelope.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relais::mail {
namespace {

using namespace std::string_literals;
using testing::ElementsAre;

Envelope example() {
    Envelope envelope{"s@far.test", {{"bob@mail.test"}, {"carl@mail.test"}, {"dora@mail.test"}}};
    envelope.options.ret = Ret::headers;
    envelope.options.envid = "QQ+2B314";
    envelope.options.submitter = {Submitter::Kind::login, "anna@far.test", {"@far.test", "x@other.test"}};
    envelope.recipients[0].options = {*parse_notify("SUCCESS,delay"), "rfc822;bob+40old.test"};
    envelope.recipients[2].options.notify.never = true;
    return envelope;
}

TEST(Envelope, AnExtensionComesBack) {
    const Envelope envelope = example();
    const std::string data = encode_extension(envelope);
    EXPECT_EQ(
        data,
        "submitter login anna@far.test\0may-use @far.test\0may-use x@other.test\0ret hdrs\0envid QQ+2B314\0"
        "recipients 3\0notify 0 success,delay\0orcpt 0 rfc822;bob+40old.test\0notify 2 never\0\0"s);
    const auto extension = decode_extension(data, 3);
    ASSERT_TRUE(extension);
    EXPECT_EQ(extension->options, envelope.options);
    EXPECT_EQ(extension->recipients[0], envelope.recipients[0].options);
    EXPECT_FALSE(extension->recipients[1].said());
    EXPECT_TRUE(extension->recipients[2].notify.never);
}

TEST(Envelope, ASessionIsNamedByPlainLetters) {
    EnvelopeOptions options;
    options.session = "1700000000000000.4711";
    const std::string data = encode_extension(options, {});
    EXPECT_EQ(data, "session 1700000000000000.4711\0\0"s);
    EXPECT_EQ(decode_extension(data, 1)->options, options);
    for (const char* const wrong : {"", "a b", "a\nb", "a>", "\xff"}) {
        EXPECT_FALSE(is_session(wrong)) << wrong;
        options.session = wrong;
        EXPECT_EQ(encode_extension(options, {}), "") << wrong;
    }
    EXPECT_FALSE(is_session(std::string(session_limit + 1, 'x')));
    EXPECT_FALSE(decode_extension("session a b\0\0"s, 1));
    EXPECT_EQ(session_in_variable(extension_variable("s@far.test", data)), "1700000000000000.4711");
    EXPECT_EQ(session_in_variable(extension_variable("s@far.test", encode_extension(example()))), "");
    EXPECT_EQ(session_in_variable("session 17.4"), "");
}

TEST(Envelope, AMessageMayComeHeld) {
    EnvelopeOptions options;
    options.hold = true;
    const std::string data = encode_extension(options, {});
    EXPECT_EQ(data, "hold yes\0\0"s);
    EXPECT_TRUE(decode_extension(data, 1)->options.hold);
    EXPECT_FALSE(decode_extension("hold no\0\0"s, 1));
}

TEST(Envelope, NothingSaidIsNoExtension) {
    EXPECT_EQ(encode_extension(Envelope{"s@x", {{"r@x"}}}), "");
    EXPECT_TRUE(decode_extension("\0"s, 1)) << "an empty one says nothing";
}

TEST(Envelope, AnExtensionCutAnywhereIsNone) {
    const std::string data = encode_extension(example());
    for (std::size_t size = 0; size < data.size(); ++size)
        EXPECT_FALSE(decode_extension(std::string_view(data).substr(0, size), 3)) << size;
    EXPECT_FALSE(decode_extension(data + '\0', 3));
}

TEST(Envelope, WhatIsSaidOfOtherRecipientsIsForgotten) {
    const auto extension = decode_extension(encode_extension(example()), 2);
    ASSERT_TRUE(extension);
    EXPECT_EQ(extension->options.envid, "QQ+2B314");
    ASSERT_EQ(extension->recipients.size(), 2u);
    EXPECT_FALSE(extension->recipients[0].said());
}

TEST(Envelope, StrangeFields) {
    EXPECT_TRUE(decode_extension("colour blue\0\0"s, 1)) << "another name is passed over";
    EXPECT_FALSE(decode_extension("colour\0\0"s, 1));
    EXPECT_FALSE(decode_extension("submitter king arthur\0\0"s, 1));
    EXPECT_FALSE(decode_extension("submitter login a\nb\0\0"s, 1));
    EXPECT_FALSE(decode_extension("ret half\0\0"s, 1));
    EXPECT_FALSE(decode_extension("envid =\0\0"s, 1));
    EXPECT_FALSE(decode_extension("notify 0 never\0\0"s, 1)) << "of how many?";
    EXPECT_FALSE(decode_extension("recipients 1\0notify 1 never\0\0"s, 1));
    EXPECT_FALSE(decode_extension("recipients 1\0notify 0 never,success\0\0"s, 1));
    EXPECT_FALSE(decode_extension("recipients 1\0orcpt 0 bob\0\0"s, 1));
}

TEST(Envelope, NotifyIsNeverOrSomeOfThree) {
    EXPECT_EQ(notify_text(*parse_notify("delay,FAILURE,Success")), "SUCCESS,FAILURE,DELAY");
    EXPECT_TRUE(parse_notify("NEVER")->never);
    for (const char* text : {"", "NEVER,DELAY", "SUCCESS,", ",", "ALWAYS", "SUCCESS DELAY"})
        EXPECT_FALSE(parse_notify(text)) << text;
    EXPECT_TRUE(Notify{}.wants_failure());
    EXPECT_FALSE(parse_notify("SUCCESS")->wants_failure());
    EXPECT_FALSE(parse_notify("NEVER")->wants_failure());
}

TEST(Envelope, OrcptAndEnvidAreXtextWithinTheirLimits) {
    EXPECT_TRUE(is_orcpt("rfc822;bob+2Bx@example.org"));
    EXPECT_TRUE(is_orcpt("X400;c+3Dus"));
    EXPECT_TRUE(is_orcpt("utf-8;j\\x{F6}rg@example.org"));
    EXPECT_TRUE(is_orcpt("UTF-8;j\xc3\xb6rg@example.org"));
    EXPECT_FALSE(is_orcpt("utf-8;j\xf6rg@example.org"));
    EXPECT_FALSE(is_orcpt("utf-8;a+2Bb@example.org"));
    EXPECT_FALSE(is_orcpt("rfc822;j\xc3\xb6rg@example.org"));
    for (const std::string& text : {";x"s, "rfc822;"s, "rfc822"s, "rfc 822;x"s, "rfc822;a+"s, "rfc822;a b"s,
                                    "rfc822;" + std::string(500, 'a')})
        EXPECT_FALSE(is_orcpt(text)) << text;
    EXPECT_TRUE(is_envid("QQ314159"));
    EXPECT_FALSE(is_envid(""));
    EXPECT_FALSE(is_envid("a+2"));
    EXPECT_FALSE(is_envid(std::string(101, 'a')));
}

TEST(Envelope, ASubmitterMayUseWhatIsListed) {
    const Submitter submitter{Submitter::Kind::login, "anna@far.test", {"@far.test", "x@other.test"}};
    EXPECT_TRUE(submitter.may_use_from("Anyone@FAR.test"));
    EXPECT_TRUE(submitter.may_use_from("x@other.test"));
    EXPECT_FALSE(submitter.may_use_from("y@other.test"));
    EXPECT_FALSE(submitter.may_use_from("anna@sub.far.test"));
    EXPECT_FALSE(submitter.may_use_from("far.test"));
    EXPECT_FALSE(submitter.may_use_from(""));
    EXPECT_THAT(submitter.domains(), ElementsAre("far.test", "other.test"));
    EXPECT_TRUE((Submitter{Submitter::Kind::rule, "", {"*"}}.may_use_from("a@b.test")));
    EXPECT_FALSE(Submitter{}.may_use_from("a@b.test"));
}

TEST(Envelope, AVariableIsForOneSender) {
    const std::string extension = encode_extension(example());
    const auto said = extension_from_variable(extension_variable("s@far.test", extension));
    ASSERT_TRUE(said);
    EXPECT_EQ(said->sender, "s@far.test");
    EXPECT_EQ(said->extension, extension);
    EXPECT_EQ(extension_variable("a\nb", extension), "");
    EXPECT_EQ(extension_variable("s@far.test", ""), "");
    EXPECT_FALSE(extension_from_variable(""));
    EXPECT_FALSE(extension_from_variable("ret full\n"));
}

}  // namespace
}  // namespace relais::mail
