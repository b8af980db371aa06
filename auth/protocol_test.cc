#include "auth/protocol.h"

#include <gtest/gtest.h>

namespace relais::auth {
namespace {

std::string body_of(const std::string& encoded) {
    EXPECT_EQ(encoded.size() - 2,
              static_cast<unsigned char>(encoded[0]) + 256U * static_cast<unsigned char>(encoded[1]));
    return encoded.substr(2);
}

TEST(Request, ComesBack) {
    const std::string body =
        body_of(encode_request({RequestKind::password, "anna", "pop3", "192.0.2.1", "<1@x>", "pass word"}));
    const auto request = decode_request(body);
    ASSERT_TRUE(request);
    EXPECT_EQ(request->user, "anna");
    EXPECT_EQ(request->service, "pop3");
    EXPECT_EQ(request->address, "192.0.2.1");
    EXPECT_EQ(request->challenge, "<1@x>");
    EXPECT_EQ(request->secret, "pass word");
}

TEST(Request, NothingElseIsOne) {
    const std::string good = body_of(encode_request({RequestKind::cram_md5, "a", "b", "c", "d", "e"}));
    EXPECT_TRUE(decode_request(good));
    for (std::size_t size = 0; size < good.size(); ++size)
        EXPECT_FALSE(decode_request(good.substr(0, size))) << size;
    EXPECT_FALSE(decode_request(good + std::string(1, '\0')));
    EXPECT_FALSE(decode_request("X" + good.substr(1)));
    EXPECT_FALSE(decode_request(good + std::string(request_limit, 'x')));
}

TEST(Request, CannotCarryANulOrTooMuch) {
    using namespace std::string_literals;
    EXPECT_EQ(encode_request({RequestKind::password, "a\0b"s, "", "", "", ""}), "");
    EXPECT_EQ(encode_request({RequestKind::password, "a", "", "", "", std::string(request_limit, 'x')}), "");
}

TEST(Answer, ComesBack) {
    const Answer answer{Result::right, "anna@a.test", 1000,   100,   {100, 4},
                        "/home/anna",  "/bin/false",  "./M/", "text"};
    EXPECT_EQ(decode_answer(body_of(encode_answer(answer))), answer);
}

TEST(Answer, NothingElseIsOne) {
    using namespace std::string_literals;
    EXPECT_FALSE(decode_answer("K"));
    EXPECT_FALSE(decode_answer("Kn\0001\0002\0x\0h\0s\0m\0t\0"s));
    EXPECT_FALSE(decode_answer("Kn\0004294967295\0002\0003\0h\0s\0m\0t\0"s));
    EXPECT_FALSE(decode_answer("Xn\0001\0002\0003\0h\0s\0m\0t\0"s));
    EXPECT_TRUE(decode_answer("Kn\0001\0002\0003\0h\0s\0m\0t\0"s));
}

}  // namespace
}  // namespace relais::auth
