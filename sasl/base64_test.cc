#include "sasl/base64.h"

#include <gtest/gtest.h>

namespace relais::sasl {
namespace {

TEST(Base64, VectorsOfRfc4648) {
    const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                           {"f", "Zg=="},
                                                           {"fo", "Zm8="},
                                                           {"foo", "Zm9v"},
                                                           {"foob", "Zm9vYg=="},
                                                           {"fooba", "Zm9vYmE="},
                                                           {"foobar", "Zm9vYmFy"}};
    for (const auto& [octets, text] : vectors) {
        EXPECT_EQ(encode_base64(octets), text);
        EXPECT_EQ(decode_base64(text), octets);
        EXPECT_EQ(encode_base64_secret(octets).view(), text);
        EXPECT_EQ(decode_base64_secret(text)->view(), octets);
    }
}

TEST(Base64, EveryOctet) {
    std::string all;
    for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
    for (std::size_t size = 0; size <= all.size(); ++size)
        EXPECT_EQ(decode_base64(encode_base64(all.substr(0, size))), all.substr(0, size));
}

TEST(Base64, WhatIsNotExactlyBase64) {
    const std::string_view wrong[] = {"Z",          "Zg",       "Zg=",      "Zg===", "Zg==\n",
                                      " Zg==",      "Zg= =",    "=Zg=",     "====",  "a===",
                                      "Z===",       "Zg==Zg==", "Zm9v====", "Zm9v=", "Zm-v",
                                      "Zm_v",       "Zm9!",     "Zh==",     "Zm9=",  "Zm\x00v",
                                      "Zm\xc3\xa9", "Zm9vYg=Y", "Zm=v",     "*",     "==Zg"};
    for (const std::string_view text : wrong) EXPECT_FALSE(decode_base64(text)) << text;
    EXPECT_FALSE(decode_base64(std::string_view("Zm\0v", 4)));
}

}  // namespace
}  // namespace relais::sasl
