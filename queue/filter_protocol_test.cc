#include "queue/filter_protocol.h"

#include <gtest/gtest.h>

namespace relais::queue {
namespace {

using namespace std::string_literals;

TEST(FilterProtocol, RequestsComeBack) {
    for (const FilterRequest& request :
         {FilterRequest{FilterWord::message, ""}, FilterRequest{FilterWord::envelope, ""},
          FilterRequest{FilterWord::kill, ""}, FilterRequest{FilterWord::run, ""},
          FilterRequest{FilterWord::run, "8BITMIME"}}) {
        const std::string packet = encode(request);
        EXPECT_EQ(decode_filter_request(packet), request);
    }
}

TEST(FilterProtocol, NothingElseIsARequest) {
    for (const std::string& packet : {""s, "Q"s, "Mx"s, "Kx"s, "Rx\0y"s})
        EXPECT_FALSE(decode_filter_request(packet)) << packet;
    EXPECT_FALSE(decode_filter_request("R" + std::string(extension_limit + 1, 'x')));
    EXPECT_TRUE(decode_filter_request("R" + std::string(extension_limit, 'x')));
}

TEST(FilterProtocol, AnswersComeBack) {
    const FilterAnswer answer{FilterNews::started, 0xfedcba98};
    EXPECT_EQ(decode_filter_answer(encode(answer)), answer);
    for (const std::string& packet : {""s, "P"s, "Q1234"s, "X12345"s})
        EXPECT_FALSE(decode_filter_answer(packet));
}

}  // namespace
}  // namespace relais::queue
