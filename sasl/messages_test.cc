#include "sasl/messages.h"

#include <gtest/gtest.h>

#include "sasl/base64.h"

namespace relais::sasl {
namespace {

using std::string_literals::operator""s;

TEST(Plain, Parts) {
    const std::string text = "boss\0anna\0secret"s;
    const auto message = parse_plain(text);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->authorization, "boss");
    EXPECT_EQ(message->user, "anna");
    EXPECT_EQ(message->password, "secret");
    EXPECT_EQ(format_plain("anna", "x").view(), "\0anna\0x"s);
}

TEST(Plain, Wrong) {
    for (const std::string& text : {""s, "\0"s, "\0\0"s, "anna"s, "\0anna"s, "\0anna\0"s, "\0\0secret"s,
                                    "\0anna\0sec\0ret"s, "\0anna\0secret\0"s})
        EXPECT_FALSE(parse_plain(text)) << text.size();
}

// RFC 2195, 2.
TEST(Cram, VectorOfRfc2195) {
    EXPECT_EQ(format_cram("tim", "tanstaaftanstaaf", "<1896.697170952@postoffice.reston.mci.net>"),
              "tim b913a602c7eda7a495b4e6e7334d3890");
    const auto message = parse_cram("tim b913a602c7eda7a495b4e6e7334d3890");
    ASSERT_TRUE(message);
    EXPECT_EQ(message->user, "tim");
    EXPECT_EQ(message->digest, "b913a602c7eda7a495b4e6e7334d3890");
    EXPECT_EQ(parse_cram("tim tom b913a602c7eda7a495b4e6e7334d3890")->user, "tim tom");
}

TEST(Cram, Wrong) {
    for (const std::string& text :
         {""s, "tim"s, "b913a602c7eda7a495b4e6e7334d3890"s, " b913a602c7eda7a495b4e6e7334d3890"s,
          "tim b913a602c7eda7a495b4e6e7334d389"s, "tim b913a602c7eda7a495b4e6e7334d389g"s,
          "ti\0m b913a602c7eda7a495b4e6e7334d3890"s})
        EXPECT_FALSE(parse_cram(text)) << text;
}

// The example of Google's description of XOAUTH2, and RFC 7628, 4.1.
TEST(Bearer, Messages) {
    const auto decoded = decode_base64(
        "dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52YjNSbGNrQmhkSFJoZG1semRH"
        "RXVZMjl0Q2cBAQ==");
    ASSERT_TRUE(decoded);
    const auto google = parse_xoauth2(*decoded);
    ASSERT_TRUE(google);
    EXPECT_EQ(google->user, "someuser@example.com");
    EXPECT_EQ(google->token, "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg");
    EXPECT_EQ(format_xoauth2(google->user, google->token).view(), *decoded);
    const auto standard = parse_oauthbearer(
        "n,a=user@example.com,\x01host=server.example.com\x01port=143\x01"
        "auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01");
    ASSERT_TRUE(standard);
    EXPECT_EQ(standard->user, "user@example.com");
    EXPECT_EQ(standard->token, "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==");
    EXPECT_EQ(parse_oauthbearer("n,,\x01"s + "auth=Bearer x\x01\x01")->user, "");
}

TEST(Bearer, Wrong) {
    for (const std::string& text :
         {""s, "user=a"s, "user=a\x01\x01\x01"s, "user=\x01"s + "auth=Bearer x\x01\x01",
          "user=a\x01"s + "auth=Basic x\x01\x01", "user=a\x01"s + "auth=Bearer \x01\x01",
          "user=a\x01"s + "auth=Bearer x y\x01\x01", "user=a\x01"s + "auth=Bearer x\x01"})
        EXPECT_FALSE(parse_xoauth2(text)) << text;
    for (const std::string& text :
         {""s, "\x01\x01\x01"s, "n,a=u,\x01\x01"s, "p=x,,\x01"s + "auth=Bearer x\x01\x01",
          "n,\x01"s + "auth=Bearer x\x01\x01", "n,,\x01"s + "auth=Bearer x\x01" + "auth=Bearer y\x01\x01",
          "n,u=x,\x01"s + "auth=Bearer x\x01\x01", "n,,\x01"s + "nonsense\x01" + "auth=Bearer x\x01\x01"})
        EXPECT_FALSE(parse_oauthbearer(text)) << text;
}

}  // namespace
}  // namespace relais::sasl
