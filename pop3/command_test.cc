#include "pop3/command.h"

#include <gtest/gtest.h>

namespace relais::pop3 {
namespace {

TEST(Command, VerbInAnyCaseArgumentAsItStands) {
    const Command command = parse_command("pass  two words ");
    EXPECT_EQ(command.verb, "PASS");
    EXPECT_EQ(command.argument, " two words ");
    EXPECT_EQ(parse_command("QUIT").argument, "");
    EXPECT_EQ(parse_command("").verb, "");
}

TEST(MessageNumber, FromOne) {
    EXPECT_EQ(parse_message_number("1"), 1U);
    EXPECT_EQ(parse_message_number(" 12 "), 12U);
    for (const char* text : {"", "0", "-1", "+1", "1x", "1 2", "18446744073709551616"})
        EXPECT_FALSE(parse_message_number(text)) << text;
}

TEST(Top, TwoNumbers) {
    const auto pair = parse_top("3 0");
    ASSERT_TRUE(pair);
    EXPECT_EQ(pair->first, 3U);
    EXPECT_EQ(pair->second, 0U);
    for (const char* text : {"", "3", "0 1", "3 -1", "3 x", "3 4 5"}) EXPECT_FALSE(parse_top(text)) << text;
}

TEST(Apop, NameAndDigest) {
    const auto pair = parse_apop("anna c4c9334bac560ecc979e58001b3e22fb");
    ASSERT_TRUE(pair);
    EXPECT_EQ(pair->name, "anna");
    EXPECT_EQ(pair->digest, "c4c9334bac560ecc979e58001b3e22fb");
    for (const char* text : {"", "anna", "anna c4c9", " c4c9334bac560ecc979e58001b3e22fb",
                             "anna g4c9334bac560ecc979e58001b3e22fb"})
        EXPECT_FALSE(parse_apop(text)) << text;
}

}  // namespace
}  // namespace relais::pop3
