#include "milter/message.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace relais::milter {
namespace {

using Kind = Reply::Kind;

Message message_of(const std::vector<std::string>& pieces, std::string_view hidden = "") {
    Message message("/tmp");
    message.hide(hidden);
    for (const std::string& piece : pieces) message.add_text(piece);
    message.end_text();
    return message;
}

std::string text_of(const Message& message) {
    std::string text;
    message.write([&](std::string_view piece) { text += piece; });
    return text;
}

const std::string received = "Received: from x\n  by us; today\n";

TEST(MilterMessage, ATextComesBackAsItWas) {
    for (const std::string text :
         {"Subject: x\nTo: a\n\tb\n\nbody\n\nmore\n", "A: b\n", "A:\n\n", "A: b\n\nx", "\nbody\n"}) {
        EXPECT_EQ(text_of(message_of({text})), text);
        std::vector<std::string> octets;
        for (const char c : text) octets.emplace_back(1, c);
        EXPECT_EQ(text_of(message_of(octets)), text);
    }
}

TEST(MilterMessage, ALineThatIsNoFieldBeginsTheBody) {
    Message message = message_of({"A: b\nno field\nC: d\n"});
    EXPECT_EQ(message.fields().size(), 1u);
    EXPECT_EQ(text_of(message), "A: b\nno field\nC: d\n") << "as it came";
    EXPECT_TRUE(message.apply({Kind::add_header, 0, "X", "y"}));
    EXPECT_EQ(text_of(message), "A: b\nX: y\n\nno field\nC: d\n");
    EXPECT_TRUE(message_of({" x: folded without a field\n"}).fields().empty());
}

TEST(MilterMessage, WhatMiltersAddHasALimit) {
    Message message = message_of({"A: b\n\nx\n"});
    int fields = 0;
    while (fields < 100000 && message.apply({Kind::add_header, 0, "X", std::string(1000, 'x')})) ++fields;
    EXPECT_GT(fields, 500);
    EXPECT_LT(fields, 1100);
    Message other = message_of({"A: b\n\nx\n"});
    const std::string piece(std::size_t{1} << 20, 'y');
    int pieces = 0;
    while (pieces < 1000 && other.apply({Kind::replace_body, 0, "", piece})) ++pieces;
    EXPECT_EQ(pieces, 16);
}

TEST(MilterMessage, AHeaderHasALimit) {
    Message message("/tmp");
    const std::string line = "X: " + std::string(1000, 'x') + "\n";
    EXPECT_THROW(for (int i = 0; i < 2000; ++i) message.add_text(line), Error);
}

TEST(MilterMessage, FieldsComeWhereTheyAreAskedFor) {
    Message message = message_of({"Tag: 1\n" + received + "A: 1\nB: 2\nA: 3\n\nx\n"}, received);
    EXPECT_TRUE(message.apply({Kind::insert_header, 0, "Top", "t"}));
    EXPECT_TRUE(message.apply({Kind::add_header, 0, "Last", " l"}));
    EXPECT_TRUE(message.apply({Kind::change_header, 2, "a", "three"}));
    EXPECT_TRUE(message.apply({Kind::change_header, 1, "B", ""}));
    EXPECT_TRUE(message.apply({Kind::change_header, 1, "Received", "forged"}));
    EXPECT_TRUE(message.apply({Kind::insert_header, 99, "Far", "f"}));
    EXPECT_EQ(text_of(message),
              "Top: t\nTag: 1\n" + received + "A: 1\nA: three\nLast: l\nReceived: forged\nFar: f\n\nx\n");
    EXPECT_TRUE(message.changed());
}

TEST(MilterMessage, ABodyIsReplacedAsAWhole) {
    Message message = message_of({"A: 1\n\nold\n"});
    for (const char* piece : {"new\r", "\nbare\n", "cr\ralone", " end\r"})
        EXPECT_TRUE(message.apply({Kind::replace_body, 0, "", piece}));
    message.end_changes();
    EXPECT_EQ(text_of(message), "A: 1\n\nnew\nbare\ncr\nalone end\n");
    Message empty = message_of({"A: 1\n\nold\n"});
    empty.apply({Kind::replace_body, 0, "", ""});
    empty.end_changes();
    EXPECT_EQ(text_of(empty), "A: 1\n\n");
}

TEST(MilterMessage, ACopyLeavesTheMessageAlone) {
    const Message message = message_of({"A: 1\n\nold\n"});
    Message copy = message;
    copy.apply({Kind::replace_body, 0, "", "new\r\n"});
    copy.apply({Kind::add_header, 0, "B", "2"});
    EXPECT_EQ(text_of(message), "A: 1\n\nold\n");
    EXPECT_EQ(text_of(copy), "A: 1\nB: 2\n\nnew\n");
}

TEST(MilterMessage, ALargeBodyGoesIntoAFile) {
    Message message("/tmp");
    message.add_text("A: 1\n\n");
    std::string body;
    for (int i = 0; i < 20000; ++i) body += "line " + std::to_string(i) + " of a large body\n";
    message.add_text(body);
    message.end_text();
    EXPECT_EQ(text_of(message), "A: 1\n\n" + body);
    Message nowhere("/nonexistent");
    EXPECT_THROW(nowhere.add_text("\n" + body), Error);
}

TEST(MilterMessage, TheEnvelopeChanges) {
    Message message("/tmp");
    message.recipients = {"a@x", "b@x"};
    EXPECT_TRUE(message.apply({Kind::add_rcpt, 0, "", "c@x"}));
    EXPECT_TRUE(message.apply({Kind::add_rcpt, 0, "", "c@x"}));
    EXPECT_TRUE(message.apply({Kind::delete_rcpt, 0, "", "A@X"}));
    EXPECT_TRUE(message.apply({Kind::change_from, 0, "", "s@y"}));
    EXPECT_TRUE(message.apply({Kind::quarantine, 0, "", "odd"}));
    EXPECT_EQ(message.recipients, (std::vector<std::string>{"b@x", "c@x"}));
    EXPECT_EQ(message.sender, "s@y");
    EXPECT_TRUE(message.hold);
    EXPECT_FALSE(message.changed());
    EXPECT_FALSE(message.apply({Kind::accept}));
}

}  // namespace
}  // namespace relais::milter
