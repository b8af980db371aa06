#include "sts/protocol.h"

#include <gtest/gtest.h>

#include "sts/fetch.h"

namespace relais::sts {
namespace {

TEST(StsProtocol, QuestionsBackAndForth) {
    std::string input = encode(Question{"example.org", "20261130"}) + encode(Question{"a.example", ""});
    bool broken = false;
    auto question = take_question(input, broken);
    ASSERT_TRUE(question);
    EXPECT_EQ(question->domain, "example.org");
    EXPECT_EQ(question->id, "20261130");
    question = take_question(input, broken);
    ASSERT_TRUE(question);
    EXPECT_EQ(question->domain, "a.example");
    EXPECT_FALSE(take_question(input, broken));
    EXPECT_FALSE(broken);
}

TEST(StsProtocol, WhatIsNoDomainIsNotAskedAbout) {
    for (const char* domain : {"", "localhost", "Example.org", "example.org.", "a/b.example", "../x.example",
                               "a..b", ".example.org", "a b.example"})
        EXPECT_FALSE(decode_question(encode(Question{domain, ""}).substr(question_head_size))) << domain;
    EXPECT_FALSE(is_domain(std::string(120, 'a') + "." + std::string(120, 'b')));
    EXPECT_FALSE(decode_question(encode(Question{"a.example", "x-y"}).substr(question_head_size)));
    std::string endless(1000, '\xff');
    bool broken = false;
    EXPECT_FALSE(take_question(endless, broken));
    EXPECT_TRUE(broken);
}

TEST(StsProtocol, AnswersBackAndForth) {
    Found found;
    found.state = Found::State::policy;
    found.policy = {Mode::testing, 86400, {"mx.example.org"}};
    found.ends = 1'900'000'000;
    auto decoded = decode_answer(encode(found).substr(answer_head_size));
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->policy, found.policy);
    EXPECT_EQ(decoded->ends, found.ends);
    found = {};
    found.state = Found::State::none;
    found.reason = "why";
    decoded = decode_answer(encode(found).substr(answer_head_size));
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->state, Found::State::none);
    EXPECT_EQ(decoded->reason, "why");
    for (const char* text : {"", "X", "P", "P1234567", "P12345678nonsense"})
        EXPECT_FALSE(decode_answer(text)) << text;
}

TEST(StsProtocol, RepliesOfAFetcher) {
    Fetched fetched{Policy{Mode::enforce, 5, {"*.a.example"}}, "7", ""};
    const auto decoded = decode_reply(encode_reply(fetched));
    ASSERT_TRUE(decoded && decoded->policy);
    EXPECT_EQ(*decoded->policy, *fetched.policy);
    EXPECT_EQ(decoded->id, "7");
    EXPECT_EQ(decode_reply(encode_reply({{}, "", "no"}))->reason, "no");
    for (const char* text : {"", "P", "P1", "P1\n", "P1\nnonsense"}) EXPECT_FALSE(decode_reply(text)) << text;
}

}  // namespace
}  // namespace relais::sts
