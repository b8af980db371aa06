#include "net/resolver_protocol.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>

#include "base/io.h"

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

TEST(Resolver, ManyQuestionsAreAskedBeforeTheFirstAnswer) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
    Fd server(ends[1]);
    // Two answers are there, and the server has gone: the third question has none.
    DnsAnswer first;
    first.status = DnsStatus::found;
    first.records.push_back({0, "192.0.2.1"});
    const std::string answers =
        encode_answer(first) + encode_answer(DnsAnswer::without_records(DnsStatus::no_such_name));
    write_all(server.get(), answers, Deadline::in(Seconds(5)));
    ASSERT_EQ(::shutdown(server.get(), SHUT_WR), 0);
    Resolver resolver(control::Home("/nonexistent"), Fd(ends[0]));
    const std::vector<DnsQuestion> questions{
        {RecordType::a, "a.test"}, {RecordType::mx, "b.test"}, {RecordType::txt, "c.test"}};
    const auto got = resolver.ask_all(questions, Deadline::in(Seconds(5)));
    ASSERT_EQ(got.size(), 3U);
    EXPECT_EQ(got[0].records.at(0).text, "192.0.2.1");
    EXPECT_EQ(got[1].status, DnsStatus::no_such_name);
    EXPECT_EQ(got[2].status, DnsStatus::failed);
    const std::string asked = read_to_end(server.get(), 4096, Deadline::in(Seconds(5)));
    EXPECT_EQ(asked, encode_question(RecordType::a, "a.test") + encode_question(RecordType::mx, "b.test") +
                         encode_question(RecordType::txt, "c.test"));
    EXPECT_TRUE(resolver.ask_all({}, Deadline::in(Seconds(5))).empty());
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
