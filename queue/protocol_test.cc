#include "queue/protocol.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace relais::queue {
namespace {

using namespace std::string_literals;

// Feeds the envelope in pieces of that size.
EnvelopeCheck checked(const std::string& data, std::size_t step) {
    EnvelopeCheck check;
    for (std::size_t at = 0; at < data.size(); at += step)
        check.feed(std::string_view(data).substr(at, step));
    return check;
}

TEST(EnvelopeCheck, FindsTheEndHoweverItComes) {
    const std::string data = encode_submitted_envelope("s@example.org", {"a@example.net", "b@example.net"});
    EXPECT_EQ(data, "Fs@example.org\0Ta@example.net\0Tb@example.net\0\0"s);
    for (std::size_t step = 1; step <= data.size() + 9; ++step) {
        const EnvelopeCheck check = checked(data + "leftovers", step);
        EXPECT_TRUE(check.complete());
        EXPECT_EQ(check.problem(), SubmitCode::accepted);
        EXPECT_EQ(check.consumed(), data.size());
    }
    EXPECT_FALSE(checked(data.substr(0, data.size() - 1), 4).complete());
}

TEST(EnvelopeCheck, AnAddressHasAtMost1002Octets) {
    const std::string longest(1002, 'a');
    EXPECT_TRUE(checked(encode_submitted_envelope(longest, {longest}), 100).complete());
    for (const std::size_t step : {std::size_t{1}, std::size_t{64}, std::size_t{5000}}) {
        EXPECT_EQ(checked(encode_submitted_envelope("", {longest + "a"}), step).problem(),
                  SubmitCode::address_too_long);
        EXPECT_EQ(checked(encode_submitted_envelope(longest + "a", {}), step).problem(),
                  SubmitCode::address_too_long);
    }
    // Said before the end has come.
    EXPECT_EQ(checked("F" + longest + "a", 7).problem(), SubmitCode::address_too_long);
}

TEST(EnvelopeCheck, SaysWhatIsBad) {
    EXPECT_EQ(checked("Ta\0\0"s, 1).problem(), SubmitCode::bad_envelope);
    EXPECT_EQ(checked("\0"s, 1).problem(), SubmitCode::bad_envelope);
    EXPECT_EQ(checked("Fa\0Fb\0\0"s, 1).problem(), SubmitCode::bad_envelope);
    EXPECT_EQ(checked("Fa\nb\0\0"s, 1).problem(), SubmitCode::refused);
    EXPECT_TRUE(checked("F\0\0"s, 1).complete());
}

TEST(EnvelopeCheck, BoundsTheWhole) {
    EnvelopeCheck check;
    check.feed("F\0"s);
    std::string recipients;
    for (int i = 0; i < 1000; ++i) recipients += "T" + std::string(1000, 'r') + '\0';
    for (int i = 0; i < 100; ++i) check.feed(recipients);
    EXPECT_EQ(check.problem(), SubmitCode::refused);
}

TEST(SubmittedEnvelope, RefusesNul) {
    EXPECT_THROW(encode_submitted_envelope("a\0b"s, {}), Error);
}

TEST(Answer, ComesBack) {
    const std::string data = encode_answer({SubmitCode::custom, 1700000000123456, "Dno\n"});
    const auto head = decode_answer_head(std::string_view(data).substr(0, answer_head_size));
    ASSERT_TRUE(head);
    EXPECT_EQ(head->code, SubmitCode::custom);
    EXPECT_EQ(head->id, 1700000000123456u);
    EXPECT_EQ(data.substr(answer_head_size), "Dno\n");
    EXPECT_EQ(head->text_size, 4u);
    EXPECT_FALSE(decode_answer_head("short"));
    EXPECT_FALSE(decode_answer_head(std::string(answer_head_size, '\xff')));
}

TEST(SubmitText, IsWhatCallersKnow) {
    EXPECT_EQ(submit_text(SubmitCode::write_error, ""), "qq write error or disk full (#4.3.0)");
    EXPECT_EQ(submit_text(SubmitCode::address_too_long, ""), "envelope address too long for qq (#5.1.3)");
    EXPECT_EQ(submit_text(SubmitCode{66}, ""), "qq trouble creating files in queue (#4.3.0)");
    EXPECT_EQ(submit_text(SubmitCode{40}, ""), "qq permanent problem (#5.3.0)");
    EXPECT_EQ(submit_text(SubmitCode{41}, ""), "qq temporary problem (#4.3.0)");
    EXPECT_EQ(submit_text(SubmitCode{255}, ""), "qq temporary problem (#4.3.0)");
}

TEST(SubmitText, OfAProgramIsOneLine) {
    EXPECT_EQ(submit_text(SubmitCode::custom, "Dspam\r\n250 ok\n"), "spam  250 ok");
    EXPECT_EQ(submit_text(SubmitCode::custom, "Xwhat"), "qq temporary problem (#4.3.0)");
    EXPECT_EQ(submit_text(SubmitCode::custom, ""), "qq temporary problem (#4.3.0)");
    EXPECT_TRUE(is_permanent(SubmitCode::custom, "Dspam"));
    EXPECT_FALSE(is_permanent(SubmitCode::custom, "Zlater"));
    EXPECT_FALSE(is_permanent(SubmitCode::custom, ""));
}

TEST(SubmitCode, OnlyElevenToFortyArePermanent) {
    for (int code = 1; code < 256; ++code)
        EXPECT_EQ(is_permanent(static_cast<SubmitCode>(code), ""), code >= 11 && code <= 40) << code;
}

}  // namespace
}  // namespace relais::queue
