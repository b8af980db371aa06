#include "qmtp/protocol.h"

#include <gtest/gtest.h>

namespace relais::qmtp {
namespace {

TEST(QmtpProtocol, AnswersAreNetstrings) {
    EXPECT_EQ((Answer{Letter::accepted, "ok 1 qp 2"}.encoded()), "10:Kok 1 qp 2,");
    EXPECT_EQ((Answer{Letter::permanent, ""}.encoded()), "1:D,");
}

std::string in_pieces(std::string_view text, std::size_t size) {
    LineEnds ends;
    std::string result;
    for (; !text.empty(); text.remove_prefix(std::min(size, text.size())))
        result += ends.add(text.substr(0, size));
    return result + ends.finish();
}

TEST(QmtpProtocol, LineEndsInPiecesOfAnySize) {
    const std::string text = "a\r\nb\n\r\r\nc\rd\r\n\r";
    for (std::size_t size = 1; size <= text.size(); ++size)
        EXPECT_EQ(in_pieces(text, size), "a\nb\n\r\nc\rd\n\r") << size;
    EXPECT_EQ(in_pieces("", 1), "");
}

}  // namespace
}  // namespace relais::qmtp
