#include "opensmtp/vpopmail.h"

#include <gtest/gtest.h>

namespace relais::opensmtp {
namespace {

std::string shown(std::string_view text) {
    const auto line = parse_vpopmail_line(text);
    return line ? line->address + " " + std::to_string(line->wall) : "";
}

TEST(VpopmailLine, AllSpellings) {
    EXPECT_EQ(shown("213.41.188.249:allow,RELAYCLIENT=\"\",RBLSMTPD=\"\"\t1029581749"),
              "213.41.188.249 1029581749");
    EXPECT_EQ(shown("213.41.188.249:allow,RELAYCLIENT=\"\" ,RBLSMTPD=\"\" 1029581749"),
              "213.41.188.249 1029581749");
    EXPECT_EQ(shown("213.41.188.249:allow, RELAYCLIENT=\"\" , RBLSMTPD=\"\"  \t 1029581749 \r"),
              "213.41.188.249 1029581749");
    EXPECT_EQ(shown("192.0.2.7:allow,RELAYCLIENT=\"\"\t5"), "192.0.2.7 5");
    EXPECT_EQ(shown("2001:DB8::7:allow,RELAYCLIENT=\"\",RBLSMTPD=\"\"\t5"), "2001:db8::7 5");
}

TEST(VpopmailLine, WhatLetsNobodyRelay) {
    for (const char* text :
         {"", "#192.0.2.7:allow,RELAYCLIENT=\"\"\t5", "192.0.2.7:deny\t5", "192.0.2.7:allow\t5",
          "192.0.2.7:allow,RBLSMTPD=\"\"\t5", "192.0.2.7:allow,RELAYCLIENT=\"\"",
          "192.0.2.7:allow,RELAYCLIENT=\"\"5", ":allow,RELAYCLIENT=\"\"\t5",
          "192.0.2.:allow,RELAYCLIENT=\"\"\t5", "1029581749", "\t5",
          "192.0.2.7:allow,RELAYCLIENT=\"\"\t999999999999999999999", "x:allow,RELAYCLIENT=\"\"\t5"})
        EXPECT_EQ(shown(text), "") << text;
}

TEST(VpopmailLine, WrittenAndReadAgain) {
    EXPECT_EQ(vpopmail_line("192.0.2.7", 5, true), "192.0.2.7:allow,RELAYCLIENT=\"\",RBLSMTPD=\"\"\t5\n");
    EXPECT_EQ(shown(vpopmail_line("2001:db8::7", 5, false)), "2001:db8::7 5");
}

TEST(VpopmailFile, FindsTheNewestOfAnAddress) {
    const std::string content =
        "11.0.2.7:allow,RELAYCLIENT=\"\"\t9\n1.0.2.7:allow,RELAYCLIENT=\"\"\t5\n"
        "1.0.2.70:allow,RELAYCLIENT=\"\"\t9\n1.0.2.7:allow,RELAYCLIENT=\"\"\t7\n1.0.2.7:allow,RELAYCLIENT="
        "\"\"\t6";
    const auto line = find_vpopmail_line(content, "1.0.2.7");
    ASSERT_TRUE(line);
    EXPECT_EQ(line->wall, 7);
    EXPECT_FALSE(find_vpopmail_line(content, "1.0.2.8"));
}

}  // namespace
}  // namespace relais::opensmtp
