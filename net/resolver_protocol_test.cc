#include "net/resolver_protocol.h"

#include <gtest/gtest.h>

namespace relais::net {
namespace {

std::string body_of_question(RecordType type, std::string_view name) {
    return encode_question(type, name).substr(2);
}
std::string body_of_answer(const DnsAnswer& answer) {
    return encode_answer(answer).substr(4);
}

TEST(ResolverProtocol, QuestionRoundTrip) {
    const auto question = decode_question(body_of_question(RecordType::mx, "example.org"));
    ASSERT_TRUE(question);
    EXPECT_EQ(question->type, RecordType::mx);
    EXPECT_EQ(question->name, "example.org");
    EXPECT_EQ(encode_question(RecordType::mx, "ab"), std::string("\x04\0\x0f\0ab", 6));
}

TEST(ResolverProtocol, QuestionIsBounded) {
    EXPECT_FALSE(decode_question(""));
    EXPECT_FALSE(decode_question("\x01"));
    EXPECT_FALSE(decode_question(std::string("\x02\0x", 3)));  // NS is not offered
    EXPECT_FALSE(decode_question(std::string("\x0f\0", 2) + std::string(256, 'a')));
    EXPECT_LE(encode_question(RecordType::a, std::string(100000, 'a')).size(), 2 + question_limit);
}

TEST(ResolverProtocol, AnswerRoundTrip) {
    const DnsAnswer answer{
        DnsStatus::found, true, 0xfffefdfc, "mail.example.org", {{10, "a.example"}, {65535, ""}}};
    const auto decoded = decode_answer(body_of_answer(answer));
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->status, DnsStatus::found);
    EXPECT_TRUE(decoded->secure);
    EXPECT_EQ(decoded->ttl, 0xfffefdfcU);
    EXPECT_EQ(decoded->canonical_name, "mail.example.org");
    ASSERT_EQ(decoded->records.size(), 2U);
    EXPECT_EQ(decoded->records[0].preference, 10);
    EXPECT_EQ(decoded->records[0].text, "a.example");
    EXPECT_EQ(decoded->records[1].preference, 65535);
    EXPECT_EQ(decoded->records[1].text, "");
}

TEST(ResolverProtocol, EveryTruncationAndAnExtraOctetAreRefused) {
    const std::string whole = body_of_answer({DnsStatus::found, false, 5, "x", {{1, "y"}, {2, "z"}}});
    ASSERT_TRUE(decode_answer(whole));
    for (std::size_t size = 0; size < whole.size(); ++size)
        EXPECT_FALSE(decode_answer(whole.substr(0, size))) << size;
    EXPECT_FALSE(decode_answer(whole + "a"));
    EXPECT_FALSE(decode_answer("\x09" + whole.substr(1)));
}

TEST(ResolverProtocol, NulInATextEndsNothing) {
    const auto decoded =
        decode_answer(body_of_answer({DnsStatus::found, false, 5, "", {{0, std::string("a\0b", 3)}}}));
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->records.at(0).text, "a?b");
}

TEST(ResolverProtocol, AnAnswerBeyondTheLimitFails) {
    DnsAnswer huge{DnsStatus::found, false, 5, "", {{0, std::string(answer_limit, 'x')}}};
    const auto decoded = decode_answer(body_of_answer(huge));
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->status, DnsStatus::failed);
}

TEST(Resolver, WithoutAServerAsksFail) {
    Resolver resolver(control::Home("/nonexistent"));
    EXPECT_EQ(resolver.ask(RecordType::mx, "example.org", Deadline::in(Seconds(5))).status,
              DnsStatus::failed);
    EXPECT_EQ(resolver.ask(RecordType::mx, std::string(256, 'a'), Deadline::in(Seconds(5))).status,
              DnsStatus::no_such_name);
}

}  // namespace
}  // namespace relais::net
