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
}

TEST(CountsProtocol, WhatIsNotRightIsNone) {
    for (const std::string& body :
         {std::string(), std::string("X"), std::string("C"), std::string("Cabc"), std::string("M"),
          std::string("M") + std::string(12, '\1'), std::string("M") + std::string(12, '\1') + "a b",
          std::string("C") + std::string(12, '\1') + "\2a", std::string("C") + std::string(12, '\0') + "\1a",
          std::string("La b")})
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

TEST(CountsProtocol, WithoutAServerThereIsNoAnswer) {
    Counts counts(control::Home("/nonexistent"));
    EXPECT_FALSE(counts.count({{"a", 1, 2, 3}}, Deadline::in(Seconds(1))));
    EXPECT_FALSE(counts.mark({"a", 1, 2, 3}, Deadline::in(Seconds(1))));
    EXPECT_FALSE(counts.list("", Deadline::in(Seconds(1))));
}

}  // namespace
}  // namespace relais::counts
