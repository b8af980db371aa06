#include "auth/hash.h"

#include <gtest/gtest.h>

namespace relais::auth {
namespace {

TEST(Hash, FitsItsPasswordAlone) {
    const std::string hash = hash_password("sesame");
    EXPECT_EQ(hash.rfind("$argon2id$v=19$m=8192,t=3,p=1$", 0), 0U) << hash;
    EXPECT_TRUE(password_fits("sesame", hash));
    EXPECT_FALSE(password_fits("Sesame", hash));
    EXPECT_FALSE(password_fits("", hash));
    EXPECT_NE(hash, hash_password("sesame"));
}

TEST(Hash, OtherTextIsNoHash) {
    for (const char* text : {"", "sesame", "$argon2id$", "$1$abc$def"})
        EXPECT_FALSE(password_fits("sesame", text));
    EXPECT_FALSE(password_fits("sesame", std::string(5000, '$')));
}

// The example of RFC 1939, section 7.
TEST(Apop, OfTheStandard) {
    const char* challenge = "<1896.697170952@dbc.mtview.ca.us>";
    EXPECT_TRUE(apop_fits("c4c9334bac560ecc979e58001b3e22fb", challenge, "tanstaaf"));
    EXPECT_TRUE(apop_fits("C4C9334BAC560ECC979E58001B3E22FB", challenge, "tanstaaf"));
    EXPECT_FALSE(apop_fits("c4c9334bac560ecc979e58001b3e22fc", challenge, "tanstaaf"));
    EXPECT_FALSE(apop_fits("c4c9334bac560ecc979e58001b3e22fb", challenge, "tanstaag"));
    EXPECT_FALSE(apop_fits("", challenge, "tanstaaf"));
}

// The example of RFC 2195, section 2.
TEST(Cram, OfTheStandard) {
    const char* challenge = "<1896.697170952@postoffice.reston.mci.net>";
    EXPECT_TRUE(cram_fits("b913a602c7eda7a495b4e6e7334d3890", challenge, "tanstaaftanstaaf"));
    EXPECT_FALSE(cram_fits("b913a602c7eda7a495b4e6e7334d3891", challenge, "tanstaaftanstaaf"));
}

TEST(Digest, IsThirtyTwoHexadecimalDigits) {
    EXPECT_TRUE(is_digest("c4c9334bac560ecc979e58001b3e22fb"));
    EXPECT_FALSE(is_digest("c4c9334bac560ecc979e58001b3e22f"));
    EXPECT_FALSE(is_digest("c4c9334bac560ecc979e58001b3e22fg"));
}

}  // namespace
}  // namespace relais::auth
