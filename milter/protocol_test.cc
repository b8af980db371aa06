#include "milter/protocol.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/io.h"

namespace relais::milter {
namespace {

using namespace std::string_literals;

TEST(MilterProtocol, WhatIsSaidComesBack) {
    const Facts facts = {{"ip", "192.0.2.1"}, {"helo", "x"}};
    EXPECT_EQ(decode_facts(encode_facts(facts)), facts);
    EXPECT_EQ(fact(facts, "helo"), "x");
    EXPECT_EQ(fact(facts, "port"), "");
    EXPECT_EQ(encode_facts({{"helo", ""}}), "");
    const Verdict verdict{Verdict::Kind::refuse, "550 no", "unix:/m", "at RCPT"};
    EXPECT_EQ(decode_verdict(encode_verdict(verdict)), verdict);
    EXPECT_EQ(decode_verdict(encode_verdict({})), Verdict{});
    const RecipientQuestion question{true, "a@x", "NOTIFY=NEVER"};
    EXPECT_EQ(decode_recipient(encode_recipient(question)), question);
    const Outcome outcome{true, "odd", "unix:/m: header", "", {"a@x", "b@x"}};
    EXPECT_EQ(decode_outcome(encode_outcome(outcome)), outcome);
}

TEST(MilterProtocol, WhatIsCutOrOddIsNone) {
    for (const std::string& whole :
         {encode_verdict({Verdict::Kind::refuse, "550 no", "w", "y"}), encode_recipient({false, "a@x", ""}),
          encode_outcome({false, "", "", "s@x", {"a@x"}})})
        for (std::size_t cut = 0; cut < whole.size(); ++cut) {
            EXPECT_FALSE(decode_verdict(whole.substr(0, cut))) << whole << cut;
            EXPECT_FALSE(decode_recipient(whole.substr(0, cut))) << whole << cut;
        }
    EXPECT_FALSE(decode_facts("a"));
    EXPECT_FALSE(decode_facts("a\0\0"s));
    EXPECT_FALSE(decode_verdict("r\0\0\0"s)) << "a refusal has a reply";
    EXPECT_FALSE(decode_verdict("p550 x\0\0\0"s));
    EXPECT_FALSE(decode_verdict("x\0\0\0"s));
    EXPECT_FALSE(decode_recipient("1\0\0"s));
    EXPECT_FALSE(decode_outcome("0\0\0s@x\0a@x"s));
}

TEST(MilterProtocol, FramesHaveLimits) {
    EXPECT_EQ(frame_length("T\0\0\1\0"s, "T"), piece_limit);
    EXPECT_FALSE(frame_length("T\1\0\1\0"s, "T"));
    EXPECT_FALSE(frame_length("V\0\0\0\0"s, "T"));
    EXPECT_FALSE(frame_length("N\0\0\0\377"s, "N"));
    Pipe pipe = make_pipe();
    write_frame(pipe.write.get(), 'V', "body", Deadline::in(Seconds(5)));
    write_all(pipe.write.get(), "V\5\0\0\0abc"s, Deadline::in(Seconds(5)));
    pipe.write.reset();
    EXPECT_EQ(read_frame(pipe.read.get(), "V", Deadline::in(Seconds(5)))->body, "body");
    EXPECT_THROW(read_frame(pipe.read.get(), "V", Deadline::in(Seconds(5))), Error);
}

}  // namespace
}  // namespace relais::milter
