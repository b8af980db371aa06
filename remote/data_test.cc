#include "remote/data.h"

#include <gtest/gtest.h>

#include <random>

#include "remote/data_decode.h"

namespace relais::remote {
namespace {

std::string encoded(std::string_view message, std::size_t piece = 1 << 20) {
    DataEncoder encoder;
    std::string out;
    for (std::size_t at = 0; at < message.size(); at += piece) encoder.encode(message.substr(at, piece), out);
    encoder.finish(out);
    return out;
}

TEST(DataEncoder, Lines) {
    EXPECT_EQ(encoded(""), ".\r\n");
    EXPECT_EQ(encoded("a\nb\n"), "a\r\nb\r\n.\r\n");
    EXPECT_EQ(encoded("a\r\nb"), "a\r\nb\r\n.\r\n");
    EXPECT_EQ(encoded("\n\n"), "\r\n\r\n.\r\n");
    EXPECT_EQ(encoded(std::string("a\0b", 3)), std::string("a\0b\r\n.\r\n", 8));
}

TEST(DataEncoder, NothingInAMessageEndsTheData) {
    EXPECT_EQ(encoded(".\n"), "..\r\n.\r\n");
    EXPECT_EQ(encoded("X\r.\nMAIL"), "X\r\n..\r\nMAIL\r\n.\r\n");
    EXPECT_EQ(encoded("X\n.\rMAIL"), "X\r\n..\r\nMAIL\r\n.\r\n");
    EXPECT_EQ(encoded("X\r\r.\r"), "X\r\n\r\n..\r\n.\r\n");
}

std::string without_nuls(std::string text) {
    std::erase(text, '\0');
    return text;
}

TEST(DataEncoder, NulsInFrontOfADotEndNothing) {
    using namespace std::string_literals;
    EXPECT_EQ(encoded("a\n\0.\nMAIL\n"s), "a\r\n.\0.\r\nMAIL\r\n.\r\n"s);
    EXPECT_EQ(encoded("\0\0.\r\n\0a\n\0"s), ".\0\0.\r\n\0a\r\n\0\r\n.\r\n"s);
    EXPECT_EQ(encoded("\0\n.\n"s), "\0\r\n..\r\n.\r\n"s);
    for (const std::size_t count : {1, 4095, 4096, 4097, 100000})
        for (const std::size_t piece : {1, 4096, 1 << 20}) {
            const std::string wire = encoded("a\n" + std::string(count, '\0') + ".\nMAIL\n", piece);
            EXPECT_EQ(without_nuls(wire), "a\r\n..\r\nMAIL\r\n.\r\n") << count << " in pieces of " << piece;
        }
}

TEST(DataEncoder, PiecesDoNotMatter) {
    using namespace std::string_literals;
    const std::string message = "\0.\r.\n..\r\n\r\r\n.a\rb.\n\0\0\n\0.\n.\0"s;
    for (std::size_t piece = 1; piece <= message.size(); ++piece)
        EXPECT_EQ(encoded(message, piece), encoded(message)) << piece;
}

TEST(DataEncoder, WhatIsReadIsTheMessageWithItsLineEndsMended) {
    std::mt19937 random(1);
    constexpr std::string_view octets("\r\n..a\r\n.\xff\0\0", 11);
    for (int round = 0; round < 20000; ++round) {
        std::string message(random() % 40, ' ');
        for (char& c : message) c = octets[random() % octets.size()];
        const std::string wire = encoded(message, 1 + random() % 8);
        const std::string seen = "\r\n" + without_nuls(wire);
        ASSERT_EQ(seen.find("\r\n.\r\n"), seen.size() - 5) << ::testing::PrintToString(message);
        const auto read = decode_data(wire);
        ASSERT_TRUE(read) << ::testing::PrintToString(message);
        ASSERT_EQ(*read, with_mended_line_ends(message)) << ::testing::PrintToString(message);
    }
}

TEST(WireSize, IsThatOfTheMessageWithItsLineEndsMended) {
    std::mt19937 random(2);
    constexpr std::string_view octets = "\r\n\x0b\x8a.aaaaaaaa";
    for (int round = 0; round < 20000; ++round) {
        std::string message(random() % 60, '\0');
        for (char& c : message) c = octets[random() % octets.size()];
        WireSize size;
        for (std::size_t at = 0, piece = 1 + random() % 20; at < message.size(); at += piece)
            size.feed(std::string_view(message).substr(at, piece));
        ASSERT_EQ(size.octets(), with_mended_line_ends(message).size()) << ::testing::PrintToString(message);
    }
}

TEST(HasEightBit, WhereverItIs) {
    for (std::size_t size = 1; size < 40; ++size) {
        std::string text(size, '\x7f');
        EXPECT_FALSE(has_eight_bit(text));
        for (std::size_t at = 0; at < size; ++at) {
            text[at] = '\x80';
            EXPECT_TRUE(has_eight_bit(text));
            text[at] = 'a';
        }
    }
}

// What a receiver makes of the encoded form is what LineEnds gives, however the message is cut.
TEST(LineEnds, AreThoseOfTheEncodedFormWithoutItsDots) {
    const std::string message = "a\r\nb\nc\rd\r\r\n\n..e\n.\nz.\nf\r";
    for (std::size_t cut = 0; cut <= message.size(); ++cut)
        for (const std::string& text : {message, message + "\n", message.substr(0, cut)}) {
            LineEnds lines;
            DataEncoder encoder;
            std::string mended, encoded;
            for (const std::string& piece : {text.substr(0, std::min(cut, text.size())),
                                             cut < text.size() ? text.substr(cut) : std::string()}) {
                lines.mend(piece, mended);
                encoder.encode(piece, encoded);
            }
            lines.finish(mended);
            encoder.finish(encoded);
            std::string undone;
            for (std::size_t at = 0; at + 3 < encoded.size();) {
                const std::size_t end = encoded.find("\r\n", at) + 2;
                if (encoded[at] == '.') ++at;
                undone += encoded.substr(at, end - at);
                at = end;
            }
            EXPECT_EQ(mended, undone) << cut;
        }
}

TEST(HeaderLetters, AreLookedForUpToTheEmptyLine) {
    const auto found = [](std::string_view message, std::size_t piece) {
        HeaderLetters letters;
        for (; !message.empty(); message.remove_prefix(std::min(piece, message.size())))
            letters.feed(message.substr(0, piece));
        return letters.eight_bit();
    };
    for (const std::size_t piece : {1, 2, 100}) {
        EXPECT_TRUE(found("Subject: \xc3\xbc\n\nx\n", piece));
        EXPECT_TRUE(found("A: b\r\nSubject: \xc3\xbc", piece));
        EXPECT_FALSE(found("Subject: u\n\n\xc3\xbc\n", piece));
        EXPECT_FALSE(found("Subject: u\r\n\r\n\xc3\xbc\n", piece));
        EXPECT_FALSE(found("\n\xc3\xbc", piece));
    }
}

}  // namespace
}  // namespace relais::remote
