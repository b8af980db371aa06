#include "queue/format.h"

#include <gtest/gtest.h>

#include "base/octets.h"
#include "queue/protocol.h"

namespace relais::queue {
namespace {

Envelope example() {
    Envelope envelope{1000, 42, Origin::network, "sender@example.org", {}};
    envelope.recipients = {
        {"a@example.net", Mark::to_do, 0}, {"b\"@x", Mark::done, 0}, {"", Mark::failed, 0}};
    return envelope;
}

TEST(Format, AnEnvelopeComesBackWithTheOffsetsOfItsMarks) {
    const std::string data = encode_envelope(example());
    const auto decoded = decode_envelope(data, 1000);
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->uid, 1000u);
    EXPECT_EQ(decoded->pid, 42u);
    EXPECT_EQ(decoded->origin, Origin::network);
    EXPECT_EQ(decoded->sender, "sender@example.org");
    ASSERT_EQ(decoded->recipients.size(), 3u);
    EXPECT_EQ(decoded->recipients[1].address, "b\"@x");
    EXPECT_EQ(decoded->recipients[2].mark, Mark::failed);
    for (const Recipient& recipient : decoded->recipients)
        EXPECT_EQ(data[static_cast<std::size_t>(recipient.mark_offset - 1000)],
                  static_cast<char>(recipient.mark));
}

TEST(Format, AnEnvelopeCutAnywhereIsNone) {
    const std::string data = encode_envelope(example());
    for (std::size_t size = 0; size < data.size(); ++size)
        EXPECT_FALSE(decode_envelope(data.substr(0, size), 0)) << size;
    EXPECT_FALSE(decode_envelope(data + '\0', 0));
    EXPECT_FALSE(decode_envelope(data + "Tx", 0));
}

TEST(Format, AnEnvelopeWithAStrangeMarkOrInfoIsNone) {
    using namespace std::string_literals;
    EXPECT_TRUE(decode_envelope("uid 1 pid 2 role user\0s\0Ta\0\0"s, 0));
    EXPECT_FALSE(decode_envelope("uid 1 pid 2 role user\0s\0ta\0\0"s, 0));
    EXPECT_FALSE(decode_envelope("uid 1 pid 2 role root\0s\0Ta\0\0"s, 0));
    EXPECT_FALSE(decode_envelope("uid 1 pid 2\0s\0Ta\0\0"s, 0));
    EXPECT_FALSE(decode_envelope("uid 4294967296 pid 2 role user\0s\0Ta\0\0"s, 0));
    EXPECT_FALSE(decode_envelope("uid 1 pid 2 role user\0s\0T"s + std::string(1003, 'a') + "\0\0"s, 0));
}

TEST(Format, VersionTwoIsOnlyForWhatNeedsIt) {
    Envelope envelope = example();
    EXPECT_EQ(version_of(envelope), 1u);
    Recipient told{"c@example.net"};
    told.options.notify.never = true;
    envelope.recipients.push_back(told);
    envelope.options.ret = mail::Ret::full;
    EXPECT_EQ(version_of(envelope), 2u);
    const std::string data = encode_envelope(envelope);
    EXPECT_FALSE(decode_envelope(data, 0, 1));
    const auto decoded = decode_envelope(data, 0, 2);
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->options.ret, mail::Ret::full);
    EXPECT_TRUE(decoded->recipients[3].options.notify.never);
    EXPECT_FALSE(decoded->recipients[1].options.said());
    EXPECT_FALSE(decode_envelope(encode_envelope(example()), 0, 2)) << "an extension is missing";
}

TEST(Format, WhatNoExtensionSaysOfTheSubmitterIsKnown) {
    Envelope envelope = example();
    using Kind = mail::Submitter::Kind;
    const auto submitter = [&](Origin origin) {
        envelope.origin = origin;
        return decode_envelope(encode_envelope(envelope), 0, version_of(envelope))->options.submitter;
    };
    EXPECT_EQ(submitter(Origin::network).kind, Kind::stranger);
    EXPECT_EQ(submitter(Origin::bounce).kind, Kind::bounce);
    EXPECT_EQ(submitter(Origin::user), (mail::Submitter{Kind::local, "1000"}));
    envelope.options.submitter = {Kind::forward};
    EXPECT_EQ(submitter(Origin::user), (mail::Submitter{Kind::forward, "1000"}));
}

TEST(Format, AFooterSaysItsVersion) {
    const std::string block = encode_footer({10, 20, 30, 2});
    const std::uint64_t size = 10 + 20 + status_size + footer_size;
    ASSERT_TRUE(decode_footer(block, size));
    EXPECT_EQ(decode_footer(block, size)->version, 2u);
    EXPECT_EQ(footer_trace("text" + block), Trace::known_version);
    EXPECT_EQ(read_footer_loosely(block)->version, 2u);
    std::string later = block;
    later[7] = '3';
    EXPECT_FALSE(decode_footer(later, size));
    EXPECT_EQ(footer_trace("text" + later), Trace::another_version);
    EXPECT_EQ(footer_trace("it says relaisQ1 in its text" + later), Trace::another_version);
    EXPECT_EQ(footer_trace(block + "garbage"), Trace::known_version);
    EXPECT_EQ(footer_trace("text"), Trace::none);
}

TEST(Format, AStatusComesBackAndItsTextIsCut) {
    const Status status{true, true, 7, 1700000000, 1600000000, 1500000000, std::string(300, 'e')};
    const std::string block = encode_status(status);
    ASSERT_EQ(block.size(), status_size);
    const Status decoded = decode_status(block);
    EXPECT_TRUE(decoded.hold);
    EXPECT_EQ(decoded.tries, 7u);
    EXPECT_EQ(decoded.next_try, 1700000000);
    EXPECT_EQ(decoded.last_try, 1600000000);
    EXPECT_EQ(decoded.released, 1500000000);
    EXPECT_EQ(decoded.last_error, std::string(error_text_size, 'e'));
}

TEST(Format, WhatIsHeldByHandIsToldFromWhatADecisionHolds) {
    Status status;
    status.hold = true;
    EXPECT_FALSE(decode_status(encode_status(status)).by_hand);
    status.by_hand = true;
    EXPECT_TRUE(decode_status(encode_status(status)).by_hand);
    status.hold = false;
    EXPECT_FALSE(decode_status(encode_status(status)).by_hand);
}

TEST(Format, ATornOrEmptyStatusCountsAsZero) {
    const std::string block = encode_status({true, true, 7, 1700000000, 1600000000, 0, "text"});
    for (std::size_t at = 0; at < block.size(); ++at) {
        std::string torn = block;
        torn[at] = static_cast<char>(torn[at] ^ 1);
        const Status decoded = decode_status(torn);
        EXPECT_EQ(decoded.tries, 0u) << at;
        EXPECT_FALSE(decoded.hold);
    }
    EXPECT_EQ(decode_status(std::string(status_size, '\0')).tries, 0u);
    EXPECT_EQ(decode_status("").tries, 0u);
    EXPECT_EQ(decode_status(encode_status({false, false, 3, -5, 0, 0, ""})).tries, 0u);
}

TEST(Format, AFooterBindsTheSizeOfTheFile) {
    const Footer footer{5000, 100, 0x0123456789abcdefU};
    const std::string block = encode_footer(footer);
    ASSERT_EQ(block.size(), footer_size);
    const std::uint64_t size = 5000 + 100 + status_size + footer_size;
    const auto decoded = decode_footer(block, size);
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->message_size, 5000u);
    EXPECT_EQ(decoded->checksum, footer.checksum);
    EXPECT_FALSE(decode_footer(block, size - 1));
    EXPECT_FALSE(decode_footer(block, size + 1));
    EXPECT_FALSE(decode_footer(block, 0));
}

TEST(Format, AFooterWithAFlippedBitIsNone) {
    const std::string block = encode_footer({10, 20, 30});
    for (std::size_t bit = 0; bit < block.size() * 8; ++bit) {
        std::string flipped = block;
        flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
        EXPECT_FALSE(decode_footer(flipped, 10 + 20 + status_size + footer_size)) << bit;
    }
    EXPECT_FALSE(decode_footer(std::string(footer_size, '\0'), status_size + footer_size));
}

TEST(Format, AbsurdSizesInAFooterAreRefused) {
    // Sizes whose sum wraps around to the size of the file.
    const std::uint64_t rest = 1000;
    const Footer wrapping{rest - (UINT64_MAX - 5), UINT64_MAX - 5, 0};
    EXPECT_FALSE(decode_footer(encode_footer(wrapping), rest + status_size + footer_size));
    const Footer huge_envelope{0, envelope_limit * 2, 0};
    EXPECT_FALSE(decode_footer(encode_footer(huge_envelope), envelope_limit * 2 + status_size + footer_size));
}

TEST(Checksum, DoesNotDependOnThePieces) {
    std::string data;
    for (int i = 0; i < 1000; ++i) data += static_cast<char>(i * 7);
    Checksum whole;
    whole.update(data);
    for (const std::size_t step :
         {std::size_t{1}, std::size_t{3}, std::size_t{8}, std::size_t{13}, std::size_t{64}}) {
        Checksum pieces;
        for (std::size_t at = 0; at < data.size(); at += step)
            pieces.update(std::string_view(data).substr(at, step));
        EXPECT_EQ(pieces.value(), whole.value()) << step;
    }
}

TEST(Checksum, SeesEveryBitAndTrailingZeros) {
    const std::string data(37, 'x');
    Checksum sum;
    sum.update(data);
    for (std::size_t bit = 0; bit < data.size() * 8; ++bit) {
        std::string flipped = data;
        flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
        Checksum other;
        other.update(flipped);
        EXPECT_NE(other.value(), sum.value()) << bit;
    }
    Checksum longer = sum;
    longer.update(std::string(1, '\0'));
    EXPECT_NE(longer.value(), sum.value());
}

}  // namespace
}  // namespace relais::queue
