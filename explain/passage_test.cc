#include "explain/passage.h"

#include <gtest/gtest.h>

#include <string>

namespace relais::explain {
namespace {

remote::Extensions everything() {
    remote::Extensions all;
    all.pipelining = all.eight_bit_mime = all.smtp_utf8 = all.size = all.starttls = all.dsn = true;
    all.size_limit = 1000;
    return all;
}

std::string codes(const MessageTraits& message, const remote::Extensions& extensions,
                  std::string_view recipient = "ann@far.test", bool strict = false) {
    std::string text;
    for (const Finding& finding : judge(message, extensions, "mx.test", "bob@here.test", recipient, strict))
        text += (text.empty() ? "" : " ") + finding.code + (finding.weight == Weight::problem ? "!" : "");
    return text;
}

TEST(Passage, AServerThatOffersAllTakesAll) {
    EXPECT_EQ(codes({1000, true, true, true, false, false, 998}, everything()), "smtputf8");
    EXPECT_EQ(codes({}, everything()), "");
    EXPECT_EQ(codes({}, {}), "");
}

TEST(Passage, TimeAndPriority) {
    MessageTraits message;
    message.by = 3600;
    message.priority = 3;
    EXPECT_EQ(codes(message, {}), "no_deliverby priority");
    remote::Extensions all = everything();
    all.deliver_by = all.mt_priority = true;
    EXPECT_EQ(codes(message, all), "deliverby priority");
}

TEST(Passage, Sizes) {
    EXPECT_EQ(codes({1001}, everything()), "too_large!");
    remote::Extensions unlimited = everything();
    unlimited.size_limit = 0;
    EXPECT_EQ(codes({1001}, unlimited), "");
}

TEST(Passage, LettersBeyondAscii) {
    EXPECT_EQ(codes({}, {}, "j\xc3\xb6rg@far.test"), "no_smtputf8!");
    EXPECT_EQ(codes({}, {},
                    "ann@b\xc3\xbc"
                    "cher.test"),
              "domain_in_ascii");
    EXPECT_EQ(codes({}, everything(),
                    "ann@b\xc3\xbc"
                    "cher.test"),
              "smtputf8");
    MessageTraits header;
    header.eight_bit_header = true;
    EXPECT_EQ(codes(header, {}), "");
    header.smtputf8 = true;
    EXPECT_EQ(codes(header, {}), "no_smtputf8!");
}

TEST(Passage, EightBitsLongLinesAndReports) {
    MessageTraits message;
    message.eight_bit = true;
    EXPECT_EQ(codes(message, {}), "8bit_unasked");
    EXPECT_EQ(codes(message, {}, "ann@far.test", true), "no_8bitmime!");
    message = {};
    message.longest_line = 999;
    message.dsn = true;
    EXPECT_EQ(codes(message, everything()), "long_lines dsn");
}

TEST(Passage, WhatIsOffered) {
    EXPECT_EQ(words_of(everything()), "STARTTLS, PIPELINING, 8BITMIME, SMTPUTF8, DSN, SIZE 1000");
    EXPECT_EQ(words_of(remote::Extensions()), "nothing");
}

}  // namespace
}  // namespace relais::explain
