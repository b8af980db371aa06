#include "family/ident.h"

#include <gtest/gtest.h>

namespace relais::family {
namespace {

TEST(Ident, TheUserOfAReply) {
    EXPECT_EQ(ident_user("6193, 23 : USERID : UNIX : stjohns"), "stjohns");
    EXPECT_EQ(ident_user("6195,23:USERID:OTHER :a:b c \r"), "a:b c");
    EXPECT_EQ(ident_user("1,2: userid :UNIX,US-ASCII: joe"), "joe");
}

TEST(Ident, WhatIsNoAnswer) {
    for (const char* reply : {"", ":", "6195, 23 : ERROR : NO-USER", "6195, 23 : ERROR : X : y",
                              "1,2:USERID:UNIX:", "1,2 : USERID : UNIX", "1,2:USERID:UNIX:  \r"})
        EXPECT_FALSE(ident_user(reply)) << reply;
    EXPECT_FALSE(ident_user(std::string_view("1,2:USERID:UNIX:a\0b", 19)));
}

}  // namespace
}  // namespace relais::family
