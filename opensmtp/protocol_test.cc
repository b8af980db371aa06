#include "opensmtp/protocol.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace relais::opensmtp {
namespace {

TEST(Protocol, RequestsComeBack) {
    for (const Request& request :
         {Request{Verb::channel, "192.0.2.7", "", "pop3", 0},
          Request{Verb::confirm, "", "anna@mail.test", "", 0},
          Request{Verb::add, "2001:db8::7", "anna", "imap", 0},
          Request{Verb::import, "192.0.2.7", "", "import", 77},
          Request{Verb::remove, "2001:db8:0:1::/64", "", "", 0},
          Request{Verb::remove_user, "", "anna", "", 0}, Request{Verb::expire, "", "", "", 0}}) {
        std::string line = encode(request);
        ASSERT_EQ(line.back(), '\n');
        line.pop_back();
        EXPECT_EQ(decode_request(line), request) << line;
    }
    EXPECT_EQ(encode(Request{Verb::add, "192.0.2.7", "a b", "pop3", 0}),
              std::string("add\000192.0.2.7\0a b\0pop3\n", 23));
}

TEST(Protocol, AddressesAreMadeCanonical) {
    EXPECT_EQ(decode_request(std::string("remove\0::ffff:192.0.2.7", 23))->address, "192.0.2.7");
}

TEST(Protocol, NothingElseIsARequest) {
    using namespace std::string_literals;
    for (const std::string& line : {""s, "ADD"s, "expire\0"s, "confirm"s, "confirm\0a\0b"s, "add\0x\0u\0s"s,
                                    "add\0001.2.3.4\0u\0"s, "confirm\0a\tb"s, "import\0001.2.3.4\0u\0s\0-1"s,
                                    "confirm\0"s + std::string(400, 'x'), "remove\0001.2.3.4/64"s})
        EXPECT_FALSE(decode_request(line)) << line;
    EXPECT_THROW(encode(Request{Verb::confirm, "", "a\nb", "", 0}), Error);
}

TEST(Protocol, AnswersComeBack) {
    for (const Answer& answer : {Answer{true, ""}, Answer{false, "disk full"}}) {
        std::string line = encode(answer);
        line.pop_back();
        EXPECT_EQ(decode_answer(line), answer);
    }
    EXPECT_EQ(encode(Answer{true, std::string("a\nb\0c", 5)}), std::string("ok\0a b c\n", 9));
    EXPECT_FALSE(decode_answer("ok"));
}

}  // namespace
}  // namespace relais::opensmtp
