#include "smtpd/data.h"

#include <gtest/gtest.h>

#include <tuple>

namespace relais::smtpd {
namespace {

struct Decoded {
    std::string text;
    std::size_t used = 0;
    bool ended = false;
    bool bare = false;
    bool operator==(const Decoded&) const = default;
};

void PrintTo(const Decoded& d, std::ostream* out) {
    *out << testing::PrintToString(d.text) << " used " << d.used << (d.ended ? " ended" : "")
         << (d.bare ? " bare" : "");
}

// piece: how many octets come at a time.
Decoded decode(std::string_view input, bool normalise, std::size_t piece) {
    DataDecoder decoder(normalise);
    Decoded result;
    while (result.used < input.size() && !decoder.ended())
        result.used += decoder.decode(input.substr(result.used, piece), result.text);
    result.ended = decoder.ended();
    result.bare = decoder.bare();
    return result;
}

constexpr std::size_t at_once = 1 << 20;

TEST(DataDecoder, OrdinaryMessage) {
    const std::string input = "Subject: x\r\n\r\n..dot\r\n.x\r\n\r\ntext\r\n.\r\nQUIT\r\n";
    const Decoded expected{"Subject: x\n\n.dot\nx\n\ntext\n", input.size() - 6, true, false};
    for (std::size_t piece : {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{7}, at_once})
        EXPECT_EQ(decode(input, false, piece), expected) << piece;
}

TEST(DataDecoder, EmptyMessage) {
    EXPECT_EQ(decode(".\r\n", false, at_once), (Decoded{"", 3, true, false}));
}

// Nothing that another server might take for the end of the message ends it, and all of it is refused.
TEST(DataDecoder, SmugglingVariantsNeverEndTheData) {
    for (const std::string_view middle :
         {"\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r.\r\n", "\r\n.\r", "\n.\r", "\r\n.\r\r\n", ".\r\r\n",
          "\r.\n", "\n\r.\n\r", "\r\n.\r \n", "\n\n.\r\n", "\r\r\n\r.\r\n"}) {
        const std::string smuggled = "a" + std::string(middle) + "MAIL FROM:<x@y>\r\n";
        const std::string input = smuggled + ".\r\n";
        for (std::size_t piece = 1; piece < 9; ++piece) {
            const Decoded got = decode(input, false, piece);
            EXPECT_TRUE(got.bare) << testing::PrintToString(middle) << piece;
            EXPECT_TRUE(got.ended) << testing::PrintToString(middle) << piece;
            EXPECT_EQ(got.used, input.size()) << testing::PrintToString(middle) << piece;
        }
    }
}

TEST(DataDecoder, RealEndAfterViolationIsSeen) {
    EXPECT_EQ(decode("a\rb\r\n.\r\nQUIT\r\n", false, at_once).used, 8U);
    EXPECT_EQ(decode("a\nb\r\n.\r\nQUIT\r\n", false, at_once).used, 8U);
    // The CR before the CRLF is bare, the CRLF is one all the same.
    EXPECT_EQ(decode("a\r\r\n.\r\nQUIT\r\n", false, 1).used, 7U);
}

TEST(DataDecoder, NormalisesForFixcrio) {
    for (std::size_t piece : {std::size_t{1}, std::size_t{2}, at_once}) {
        EXPECT_EQ(decode("a\nb\r\n.c\n.\nQUIT\n", true, piece), (Decoded{"a\nb\nc\n", 10, true, false}));
        EXPECT_EQ(decode("a\r\r\nb\r\n.\r\n", true, piece), (Decoded{"a\nb\n", 10, true, false}));
        EXPECT_EQ(decode("a\rb\r\n.\r\n", true, piece), (Decoded{"a\nb\n", 8, true, false}));
    }
}

TEST(DataDecoder, BareCrNeverEndsTheDataForFixcrio) {
    const std::string input = "X\r.\r\nMAIL FROM:<x@y>\r\n.\r\n";
    EXPECT_EQ(decode(input, true, at_once), (Decoded{"X\n.\nMAIL FROM:<x@y>\n", input.size(), true, false}));
    EXPECT_EQ(decode("X\r.\rMAIL\r\n.\r\n", true, 1).text, "X\n.\nMAIL\n");
    for (const std::string end : {".\r\r\n", ".\r\r\r\n"})
        for (const std::size_t piece : {std::size_t{1}, at_once}) {
            const std::string all = "X\r\n" + end + "MAIL FROM:<x@y>\r\n.\r\n";
            EXPECT_EQ(decode(all, true, piece), (Decoded{"X\n\nMAIL FROM:<x@y>\n", all.size(), true, false}));
        }
}

TEST(DataDecoder, NulAndLongLinesPass) {
    const std::string line = std::string(200000, 'x') + std::string(1, '\0') + std::string(70000, 'y');
    const Decoded got = decode(line + "\r\n.\r\n", false, 65536);
    EXPECT_EQ(got.text, line + "\n");
    EXPECT_TRUE(got.ended);
    EXPECT_FALSE(got.bare);
}

// Many CRs and no LF must not make the search for the line's end start over each time.
TEST(DataDecoder, ManyReturnsTakeLinearTime) {
    std::string input;
    for (int i = 0; i < 2'000'000; ++i) input += "\rx";
    EXPECT_FALSE(decode(input, true, input.size()).ended);
}

// Or as much as a client sends without a line end would be held, and count for no limit.
TEST(DataDecoder, HoldsBackABoundedNumberOfReturns) {
    DataDecoder decoder(true);
    std::string text;
    const std::string returns(1 << 20, '\r');
    EXPECT_EQ(decoder.decode(returns, text), returns.size());
    EXPECT_GT(text.size(), returns.size() / 2);
    EXPECT_EQ(text.find_first_not_of('\n'), std::string::npos);
    decoder.decode("\n.\r\n", text);
    EXPECT_TRUE(decoder.ended());
}

TEST(DataDecoder, NeverEndsWithoutDot) {
    EXPECT_FALSE(decode("text\r\n", false, 1).ended);
    EXPECT_FALSE(decode("text\r\n.", false, 1).ended);
    EXPECT_FALSE(decode("text\r\n.\r", false, 1).ended);
    EXPECT_FALSE(decode("text.\r\n", false, 1).ended);
    EXPECT_FALSE(decode("\r\n..\r\n", false, 1).ended);
}

Decoded decode_counted(std::string_view input, bool normalise, std::size_t piece) {
    DataDecoder decoder(normalise, DataDecoder::Form::counted);
    Decoded result;
    while (result.used < input.size())
        result.used += decoder.decode(input.substr(result.used, piece), result.text);
    decoder.end(result.text);
    result.ended = decoder.ended();
    result.bare = decoder.bare();
    return result;
}

TEST(DataDecoder, CountedDotsAreOctetsLikeOthers) {
    const std::string input = ".\r\n..\r\n.x\r\n\r\n.\r\n";
    for (std::size_t piece : {std::size_t{1}, std::size_t{2}, std::size_t{3}, at_once})
        EXPECT_EQ(decode_counted(input, false, piece),
                  (Decoded{".\n..\n.x\n\n.\n", input.size(), false, false}))
            << piece;
}

TEST(DataDecoder, CountedTextEndsWithALine) {
    for (std::size_t piece : {std::size_t{1}, at_once}) {
        EXPECT_EQ(decode_counted("a\r\nb", false, piece), (Decoded{"a\nb\n", 4, false, false}));
        EXPECT_EQ(decode_counted("a\r\n", false, piece), (Decoded{"a\n", 3, false, false}));
        EXPECT_EQ(decode_counted("", false, piece), (Decoded{"", 0, false, false}));
        EXPECT_EQ(decode_counted("a\r", true, piece), (Decoded{"a\n", 2, false, false}));
    }
}

TEST(DataDecoder, CountedTextHasBareLineEndsToo) {
    for (const char* input : {"a\nb\r\n", "a\rb\r\n", "a\r\r\n", "\n", "a\r\n\r"})
        for (std::size_t piece : {std::size_t{1}, std::size_t{2}, at_once}) {
            EXPECT_TRUE(decode_counted(input, false, piece).bare) << testing::PrintToString(input);
            EXPECT_FALSE(decode_counted(input, true, piece).bare) << testing::PrintToString(input);
        }
}

}  // namespace
}  // namespace relais::smtpd
