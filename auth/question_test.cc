#include "auth/question.h"

#include <gtest/gtest.h>

namespace relais::auth {
namespace {

const Question example{.helper = Helper::validator,
                       .user = "anna@example.org",
                       .service = "smtp",
                       .address = "192.0.2.1",
                       .challenge = "XOAUTH2",
                       .secret = "token"};

TEST(Question, ComesBack) {
    const Secret packet = encode_question(example);
    EXPECT_EQ(packet.size(), question_size);
    const auto found = decode_question(packet.view());
    ASSERT_TRUE(found);
    EXPECT_EQ(found->helper, Helper::validator);
    EXPECT_EQ(found->user, "anna@example.org");
    EXPECT_EQ(found->service, "smtp");
    EXPECT_EQ(found->address, "192.0.2.1");
    EXPECT_EQ(found->challenge, "XOAUTH2");
    EXPECT_EQ(found->secret, "token");
}

TEST(Question, WhatDoesNotFitIsNotAsked) {
    Question question = example;
    const std::string longest(255, 'a'), longer(256, 'a');
    question.user = longest;
    EXPECT_EQ(encode_question(question).size(), question_size);
    question.user = longer;
    EXPECT_EQ(encode_question(question).size(), 0U);
    question.user = std::string_view("a\0b", 3);
    EXPECT_EQ(encode_question(question).size(), 0U);
}

TEST(Question, NothingElseIsRead) {
    const std::string good(encode_question(example).view());
    EXPECT_FALSE(decode_question(good.substr(1)));
    EXPECT_FALSE(decode_question(good + '\0'));
    EXPECT_FALSE(decode_question(""));
    std::string odd = good;
    odd[0] = '?';
    EXPECT_FALSE(decode_question(odd));
    odd = good;
    odd[1 + 20] = 'x';  // behind the end of the user
    EXPECT_FALSE(decode_question(odd));
    odd = good;
    odd.replace(1, 256, std::string(256, 'u'));
    EXPECT_FALSE(decode_question(odd));
}

}  // namespace
}  // namespace relais::auth
