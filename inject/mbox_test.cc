#include "inject/mbox.h"

#include <gtest/gtest.h>

namespace relais::inject {
namespace {

std::string quoted(std::string_view message, std::size_t piece) {
    MboxQuoter quoter;
    std::string out;
    for (; !message.empty(); message.remove_prefix(std::min(piece, message.size())))
        out += quoter.add(message.substr(0, piece));
    return out + quoter.finish();
}

}  // namespace

TEST(Mbox, QuotesWhatLooksLikeAFromLine) {
    for (const std::size_t piece : {1, 2, 3, 6, 100}) {
        EXPECT_EQ(quoted("From a\n>From b\n>>From c\nFrom\n>Fro\n From d\nx From e\n", piece),
                  ">From a\n>>From b\n>>>From c\nFrom\n>Fro\n From d\nx From e\n\n");
        EXPECT_EQ(quoted("a\nFrom b", piece), "a\n>From b\n\n");
        EXPECT_EQ(quoted("a\nFro", piece), "a\nFro\n\n");
        EXPECT_EQ(quoted("a\n>>>", piece), "a\n>>>\n\n");
        EXPECT_EQ(quoted("a", piece), "a\n\n");
        EXPECT_EQ(quoted("", piece), "\n");
    }
}

TEST(Mbox, WritesTheFromLine) {
    EXPECT_EQ(from_line("Return-Path: <a b@c>", 812090814), "From a-b@c Tue Sep 26 04:46:54 1995\n");
    EXPECT_EQ(from_line("Return-Path: <>", 812090814), "From MAILER-DAEMON Tue Sep 26 04:46:54 1995\n");
    EXPECT_EQ(from_line("Return-Path: <x", 812090814), "From XXX Tue Sep 26 04:46:54 1995\n");
    EXPECT_EQ(from_line("Received: x", 0), "From XXX Thu Jan 01 00:00:00 1970\n");
}

}  // namespace relais::inject
