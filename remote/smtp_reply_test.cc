#include "remote/smtp_reply.h"

#include <gtest/gtest.h>

#include <initializer_list>

namespace relais::remote {
namespace {

Reply parse(std::initializer_list<std::string_view> lines) {
    ReplyParser parser;
    for (const std::string_view line : lines) {
        const bool complete = parser.take(line);
        EXPECT_EQ(complete, line == *(lines.end() - 1)) << line;
    }
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

TEST(ReplyParser, IsBounded) {
    ReplyParser parser;
    std::size_t lines = 0;
    while (!parser.take("250-" + std::string(4000, 'x'))) ++lines;
    EXPECT_LT(lines, ReplyParser::lines_limit);
    const Reply reply = parser.finish();
    EXPECT_EQ(reply.code, 0);
    EXPECT_LE(reply.text.size(), ReplyParser::text_limit + 1);
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

TEST(Extensions, StartTlsAndAuthInBothForms) {
    ReplyParser parser;
    for (const char* line : {"250-AUTH PLAIN", "250-StartTLS", "250-AUTH LOGIN CRAM-MD5  plain",
                             "250-AUTH=LOGIN NTLM", "250-AUTHOR x", "250 AUTH"})
        parser.take(line);
    const Extensions extensions = parse_extensions(parser.finish());
    EXPECT_TRUE(extensions.starttls);
    EXPECT_EQ(extensions.auth, (std::vector<std::string>{"LOGIN", "CRAM-MD5", "plain", "NTLM"}));
}

}  // namespace
}  // namespace relais::remote
