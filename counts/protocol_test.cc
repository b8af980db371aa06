#include "counts/protocol.h"

#include <gtest/gtest.h>

namespace relais::counts {
namespace {

Question taken(std::string text) {
    bool broken = false;
    const auto question = take_question(text, broken);
    EXPECT_TRUE(question && !broken && text.empty());
    return question.value_or(Question{});
}

TEST(CountsProtocol, QuestionsComeBack) {
    const Question counts =
        taken(encode({Question::Kind::counts, {{"a", 1, 2, 3}, {"bc", 0, 5, 6}}, {}, {}}));
    ASSERT_EQ(counts.counts.size(), 2U);
    EXPECT_EQ(counts.counts[0].key, "a");
    EXPECT_EQ(counts.counts[0].amount, 1U);
    EXPECT_EQ(counts.counts[0].limit, 2U);
    EXPECT_EQ(counts.counts[0].window, 3U);
    EXPECT_EQ(counts.counts[1].key, "bc");
    for (const auto kind : {Question::Kind::mark, Question::Kind::seen}) {
        const Question mark = taken(encode({kind, {}, {"key", 1, 2, 3}, {}}));
        EXPECT_EQ(mark.kind, kind);
        EXPECT_EQ(mark.mark.key, "key");
        EXPECT_EQ(mark.mark.delay, 1U);
        EXPECT_EQ(mark.mark.patience, 2U);
        EXPECT_EQ(mark.mark.lifetime, 3U);
    }
    EXPECT_EQ(taken(encode({Question::Kind::list, {}, {}, ""})).beginning, "");
    EXPECT_EQ(taken(encode({Question::Kind::forget, {}, {}, "grey:"})).beginning, "grey:");
    const Question hold = taken(encode({Question::Kind::hold, {{"a", 1, 2, 3}}, {}, {}}));
    ASSERT_EQ(hold.counts.size(), 1U);
    EXPECT_EQ(hold.counts[0].key, "a");
}

TEST(CountsProtocol, WhatIsNotRightIsNone) {
    for (const std::string& body :
         {std::string(), std::string("X"), std::string("C"), std::string("Cabc"), std::string("M"),
          std::string("M") + std::string(12, '\1'), std::string("M") + std::string(12, '\1') + "a b",
          std::string("C") + std::string(12, '\1') + "\2a", std::string("C") + std::string(12, '\0') + "\1a",
          std::string("La b"), std::string("Hheld:login:a@x"), std::string("H"),
          encode({Question::Kind::hold, {{"a", 1, 2, 3}, {"b", 1, 2, 3}}, {}, {}}).substr(2)})
        EXPECT_FALSE(decode_question(body)) << body;
    bool broken = false;
    std::string endless("\xff\xff", 2);
    EXPECT_FALSE(take_question(endless, broken));
    EXPECT_TRUE(broken);
    std::string half = encode({Question::Kind::list, {}, {}, "grey:"}).substr(0, 4);
    EXPECT_FALSE(take_question(half, broken));
    EXPECT_FALSE(broken);
}

TEST(CountsProtocol, AKeyIsOneWord) {
    EXPECT_EQ(make_key("grey", "192.0.2.0", "A b\n@C.d"), "grey:192.0.2.0>a_b_@c.d");
    EXPECT_EQ(make_key("x", std::string(1000, 'y')).size(), key_limit);
}

TEST(CountsProtocol, TheKeyOfAHardBudgetNamesItsLogin) {
    EXPECT_EQ(login_of_hard_budget("rate:messages:60:login-hold:a@x"), "a@x");
    for (const char* key : {"", "rate:messages:60:login:a@x", "rate:messages:60:login-hold",
                            "grey:messages:60:login-hold:a@x", "rate:messages:60:login-hold:a:b"})
        EXPECT_EQ(login_of_hard_budget(key), "") << key;
}

TEST(CountsProtocol, WithoutAServerThereIsNoAnswer) {
    Counts counts(control::Home("/nonexistent"));
    EXPECT_FALSE(counts.count({{"a", 1, 2, 3}}, Deadline::in(Seconds(1))));
    EXPECT_FALSE(counts.mark({"a", 1, 2, 3}, Deadline::in(Seconds(1))));
    EXPECT_FALSE(counts.list("", Deadline::in(Seconds(1))));
}

}  // namespace
}  // namespace relais::counts
