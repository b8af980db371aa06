#include "milter/wire.h"

#include <gtest/gtest.h>

namespace relais::milter {
namespace {

using namespace std::string_literals;
using Kind = Reply::Kind;

TEST(MilterWire, PacketsBeginWithTheirLength) {
    EXPECT_EQ(packet(Command::helo, "x\0"s), "\0\0\0\3Hx\0"s);
    EXPECT_EQ(negotiation_packet(), "\0\0\0\15O\0\0\0\6\0\0\0\377\0\37\367\377"s);
    EXPECT_EQ(connect_packet("h", "192.0.2.1", 25), "\0\0\0\20Ch\0004\0\031192.0.2.1\0"s);
    EXPECT_EQ(connect_packet("unknown", "unknown", 0), "\0\0\0\12Cunknown\0U"s);
    EXPECT_EQ(connect_packet("h", "2001:db8::1", 1), "\0\0\0\27Ch\0006\0\1IPv6:2001:db8::1\0"s);
    EXPECT_EQ(path_packet(Command::mail, "", "SIZE=1  BODY=8BITMIME"),
              "\0\0\0\31M<>\0SIZE=1\0BODY=8BITMIME\0"s);
    EXPECT_EQ(header_packet("Subject", " x\n y", false), "\0\0\0\16LSubject\0x\n y\0"s);
    EXPECT_EQ(header_packet("A", " x", true), "\0\0\0\6LA\0 x\0"s);
    EXPECT_EQ(macros_packet(Command::rcpt, {{"i", "7"}, {"rcpt_addr", "a@x"}, {"none", ""}}),
              "\0\0\0\26DRi\0007\0{rcpt_addr}\0a@x\0"s);
}

TEST(MilterWire, NegotiationTakesNoMoreThanWasOffered) {
    const auto answer = [](std::string rest) { return decode_negotiation("O" + rest); };
    EXPECT_EQ(answer("\0\0\0\6\0\0\0\1\0\0\0\0"s), (Negotiated{6, 1, 0}));
    EXPECT_EQ(answer("\0\0\0\2\0\0\0\77\0\0\0\177"s), (Negotiated{2, 0x3f, 0x7f}));
    EXPECT_TRUE(answer("\0\0\0\6\0\0\0\1\0\0\0\0\0\0\0\1i j\0"s));
    EXPECT_FALSE(answer("\0\0\0\1\0\0\0\1\0\0\0\0"s));
    EXPECT_FALSE(answer("\0\0\0\7\0\0\0\1\0\0\0\0"s));
    EXPECT_FALSE(answer("\0\0\0\6\0\0\1\0\0\0\0\0"s)) << "lists of macros";
    EXPECT_FALSE(answer("\0\0\0\6\0\0\0\0\0\0\10\0"s)) << "refused recipients";
    EXPECT_FALSE(answer("\0\0\0\6\0\0\0\1\0\0\0"s));
    EXPECT_FALSE(decode_negotiation(""));
    EXPECT_FALSE(decode_negotiation("c"));
}

TEST(MilterWire, LengthsHaveALimit) {
    EXPECT_EQ(packet_length("\0\0\0\1"s), 1u);
    EXPECT_EQ(packet_length("\0\20\0\0"s), packet_limit);
    EXPECT_FALSE(packet_length("\0\20\0\1"s));
    EXPECT_FALSE(packet_length("\0\0\0\0"s));
    EXPECT_FALSE(packet_length("\377\377\377\377"s));
    EXPECT_FALSE(packet_length("\0\0\1"s));
}

TEST(MilterWire, RepliesOfEachKind) {
    EXPECT_EQ(decode_reply("c")->kind, Kind::go_on);
    EXPECT_EQ(decode_reply("s")->kind, Kind::skip);
    EXPECT_EQ(decode_reply("4")->kind, Kind::shutdown);
    const auto insert = decode_reply("i\0\0\0\2X-Spam\0yes\r\nno\0"s);
    ASSERT_TRUE(insert);
    EXPECT_EQ(insert->number, 2u);
    EXPECT_EQ(insert->name, "X-Spam");
    EXPECT_EQ(insert->text, "yes\n\tno") << "a line that is no fold would be a field of its own";
    EXPECT_EQ(decode_reply("+<a@x>\0"s)->text, "a@x");
    EXPECT_EQ(decode_reply("2a@x\0NOTIFY=NEVER\0"s)->text, "a@x");
    EXPECT_EQ(decode_reply("e<>\0"s)->text, "");
    EXPECT_EQ(decode_reply("q held\0"s)->text, " held");
    EXPECT_EQ(decode_reply("b\0x"s)->text, "\0x"s);
}

TEST(MilterWire, WhatIsNotExactlyRightIsNoReply) {
    for (const std::string& wrong : {""s,
                                     "z"s,
                                     "cx"s,
                                     "h"s,
                                     "hX\0y"s,
                                     "h\0y\0"s,
                                     "hX Y\0z\0"s,
                                     "hX:\0z\0"s,
                                     "hX\0z\0more\0"s,
                                     "i\0\0\0"s,
                                     "+\0"s,
                                     "+<>\0"s,
                                     "+<a@x> SIZE=1\0"s,
                                     "+a@x"s,
                                     "-a\nb@x\0"s,
                                     "q"s,
                                     "y250 ok\0"s,
                                     "y55\0"s,
                                     "y550"s,
                                     "O"s})
        EXPECT_FALSE(decode_reply(wrong)) << wrong;
}

TEST(MilterWire, AReplyForTheClientIsOneLine) {
    EXPECT_EQ(reply_text("550 5.7.1 no spam"), "550 no spam (#5.7.1)");
    EXPECT_EQ(reply_text("451 later"), "451 later (#4.7.1)");
    EXPECT_EQ(reply_text("554-5.7.0 first\r\n554 5.7.0 100%% second"), "554 first 100% second (#5.7.0)");
    EXPECT_EQ(reply_text("550 4.7.1 other class"), "550 4.7.1 other class (#5.7.1)");
    EXPECT_EQ(reply_text("550"), "550 refused by a filter (#5.7.1)");
    EXPECT_EQ(reply_text("550 a\rb"), "550 a?b (#5.7.1)");
    for (const char* wrong : {"", "250 ok", "5x0 a", "550x", "550 a\n551 b"})
        EXPECT_FALSE(reply_text(wrong)) << wrong;
}

}  // namespace
}  // namespace relais::milter
