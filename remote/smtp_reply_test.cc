#include "remote/smtp_reply.h"

#include <gtest/gtest.h>

#include <initializer_list>

namespace relais::remote {
namespace {

Reply parse(std::initializer_list<std::string_view> lines) {
    std::string octets;
    for (const std::string_view line : lines) octets.append(line).append("\n");
    ReplyParser parser;
    EXPECT_EQ(parser.feed(octets + "250 not of this one\n"), octets.size());
    EXPECT_TRUE(parser.complete());
    return parser.finish();
}

TEST(ReplyParser, OneLineAndSeveral) {
    EXPECT_EQ(parse({"250 ok\r"}).code, 250);
    EXPECT_EQ(parse({"250 ok"}).text, "250 ok\n");
    EXPECT_EQ(parse({"354"}).code, 354);
    const Reply reply = parse({"550-no\r", "550-\r", "550 never\r"});
    EXPECT_EQ(reply.code, 550);
    EXPECT_EQ(reply.text, "550-no\n550-\n550 never\n");
}

TEST(ReplyParser, WhatIsNoReply) {
    for (const char* line : {"", "25", "abc", "2500", "250x", "HTTP/1.1 200 OK", "-250 ", "100 go", "199 x",
                             "600 x", "000 x", " 250 ok"})
        EXPECT_EQ(parse({line}).code, 0) << line;
}

TEST(ReplyParser, PiecesDoNotMatter) {
    const std::string octets = "550-no\r\n550-" + std::string(10000, 'x') + "\r\n550 never\r\n";
    for (std::size_t piece : {1U, 7U, 5000U}) {
        ReplyParser parser;
        for (std::size_t at = 0; at < octets.size(); at += piece) {
            EXPECT_FALSE(parser.complete());
            parser.feed(std::string_view(octets).substr(at, piece));
        }
        EXPECT_TRUE(parser.complete());
        EXPECT_EQ(parser.finish().text, "550-no\n550-" + std::string(4092, 'x') + "\n550 never\n");
    }
}

TEST(ReplyParser, LongLinesAndThousandsOfThemKeepTheCodeAndTheWords) {
    const Reply long_line = parse({"550 " + std::string(70000, 'x')});
    EXPECT_EQ(long_line.code, 550);
    EXPECT_EQ(long_line.text.size(), ReplyParser::line_limit + 1);
    ReplyParser parser;
    for (int line = 0; line < 5000; ++line) parser.feed("550-spam is bad\r\n");
    parser.feed("550 the end\r\n");
    EXPECT_TRUE(parser.complete());
    const Reply reply = parser.finish();
    EXPECT_EQ(reply.code, 550);
    EXPECT_TRUE(reply.text.starts_with("550-spam is bad\n"));
    EXPECT_LE(reply.text.size(), ReplyParser::text_limit);
}

TEST(ReplyParser, IsBounded) {
    ReplyParser parser;
    const std::string line = "250-" + std::string(4000, 'x') + "\n";
    std::size_t octets = 0;
    while (!parser.complete()) octets += parser.feed(line);
    EXPECT_LE(octets, ReplyParser::octets_limit + line.size());
    const Reply reply = parser.finish();
    EXPECT_EQ(reply.code, 0);
    EXPECT_TRUE(reply.text.starts_with("250-xxx"));
    EXPECT_LE(reply.text.size(), ReplyParser::text_limit);
}

TEST(ReplyParser, WhatBeginsLikeNoReplyNeedsNoEnd) {
    ReplyParser parser;
    parser.feed(std::string(ReplyParser::line_limit, '\xff'));
    EXPECT_TRUE(parser.complete());
    EXPECT_EQ(parser.finish().code, 0);
}

TEST(Extensions, AsServersWriteThem) {
    const Extensions all = parse_extensions(
        parse({"250-PIPELINING.example greets", "250-size 1000", "250-8BITMIME", "250 Pipelining"}));
    EXPECT_TRUE(all.pipelining);
    EXPECT_TRUE(all.eight_bit_mime);
    EXPECT_TRUE(all.size);
    EXPECT_EQ(all.size_limit, 1000U);
    const Extensions none =
        parse_extensions(parse({"250-PIPELINING", "250-SIZEABLE", "250-X8BITMIME", "250"}));
    EXPECT_FALSE(none.pipelining || none.size || none.eight_bit_mime);
    EXPECT_EQ(parse_extensions(parse({"250-x", "250 SIZE"})).size_limit, 0U);
    EXPECT_EQ(parse_extensions(parse({"250-x", "250 SIZE 99999999999999999999999"})).size_limit, 0U);
}

TEST(Extensions, SmtpUtf8) {
    EXPECT_TRUE(parse_extensions(parse({"250-x", "250 smtputf8"})).smtp_utf8);
    EXPECT_FALSE(parse_extensions(parse({"250-SMTPUTF8", "250 SMTPUTF88"})).smtp_utf8);
}

TEST(Extensions, StartTlsAndAuthInBothForms) {
    ReplyParser parser;
    for (const char* line : {"250-AUTH PLAIN", "250-StartTLS", "250-AUTH LOGIN CRAM-MD5  plain",
                             "250-AUTH=LOGIN NTLM", "250-AUTHOR x", "250 AUTH"})
        parser.feed(std::string(line) + "\n");
    const Extensions extensions = parse_extensions(parser.finish());
    EXPECT_TRUE(extensions.starttls);
    EXPECT_EQ(extensions.auth, (std::vector<std::string>{"LOGIN", "CRAM-MD5", "plain", "NTLM"}));
}

}  // namespace
}  // namespace relais::remote
