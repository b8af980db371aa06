#include "pop3/multiline.h"

#include <gtest/gtest.h>

namespace relais::pop3 {
namespace {

constexpr std::uint64_t whole = std::numeric_limits<std::uint64_t>::max();

std::string sent(std::string_view message, std::uint64_t lines = whole, std::size_t piece = 1000) {
    Multiline converter(lines);
    std::string out;
    for (std::size_t at = 0; at < message.size(); at += piece)
        if (!converter.add(message.substr(at, piece), out)) break;
    converter.finish(out);
    return out;
}

// However the file is cut into pieces, the same octets go out.
void expect_sent(std::string_view message, std::string_view wanted, std::uint64_t lines = whole) {
    for (const std::size_t piece : {1, 2, 3, 1000}) EXPECT_EQ(sent(message, lines, piece), wanted) << piece;
}

TEST(Multiline, LineEndsAndDots) {
    expect_sent("A: b\n\n.\n..x\ny\n", "A: b\r\n\r\n..\r\n...x\r\ny\r\n.\r\n");
    expect_sent("A: b\r\n\r\n.x\r\n", "A: b\r\n\r\n..x\r\n.\r\n");
    expect_sent("a.b\n", "a.b\r\n.\r\n");
}

TEST(Multiline, AnUnfinishedLineIsEnded) {
    expect_sent("A: b\n\nx", "A: b\r\n\r\nx\r\n.\r\n");
    expect_sent("A: b\n\nx\r", "A: b\r\n\r\nx\r\r\n.\r\n");
    expect_sent("", ".\r\n");
}

TEST(Multiline, OctetsPass) {
    using namespace std::string_literals;
    expect_sent("\0\xff\r.\n"s, "\0\xff\r.\r\n.\r\n"s);
}

TEST(Multiline, TopEndsAfterTheLinesOfTheBody) {
    const char* message = "A: b\nC: d\n\none\ntwo\nthree\n";
    expect_sent(message, "A: b\r\nC: d\r\n\r\n.\r\n", 0);
    expect_sent(message, "A: b\r\nC: d\r\n\r\none\r\ntwo\r\n.\r\n", 2);
    expect_sent(message, "A: b\r\nC: d\r\n\r\none\r\ntwo\r\nthree\r\n.\r\n", 99);
    expect_sent("A: b\r\n\r\none\r\ntwo\r\n", "A: b\r\n\r\none\r\n.\r\n", 1);
    expect_sent("A: b\n", "A: b\r\n.\r\n", 0);
}

}  // namespace
}  // namespace relais::pop3
