#include "mail/header.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relais::mail {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using State = HeaderReader::State;

// Everything gives the same however the message is cut up.
HeaderReader read(std::string_view message, std::size_t piece) {
    HeaderReader reader(1000);
    State state = State::more;
    while (!message.empty() && state == State::more) {
        state = reader.add(message.substr(0, piece));
        message.remove_prefix(std::min(piece, message.size()));
    }
    if (state == State::more) {
        EXPECT_EQ(reader.finish(), State::done);
    }
    if (!message.empty()) reader.add(message);
    return reader;
}

std::size_t hops(std::string_view message, std::size_t piece) {
    HopCounter counter;
    for (; !message.empty(); message.remove_prefix(std::min(piece, message.size())))
        counter.add(message.substr(0, piece));
    return counter.hops();
}

}  // namespace

TEST(FieldName, KnowsWhatBeginsAField) {
    EXPECT_EQ(field_name("Subject: x\n"), "Subject");
    EXPECT_EQ(field_name("X-1 \t: y"), "X-1");
    EXPECT_EQ(field_name("a:"), "a");
    for (const char* line : {"", "\n", ": x", "a", "a b: c", " a: b", "\xc3\xb6: x", "a\n: b", "a\x7f: b"})
        EXPECT_FALSE(field_name(line)) << line;
    EXPECT_EQ(field_body("Subject: x\n y\n"), " x\n y\n");
}

TEST(HeaderReader, SplitsFieldsAndBody) {
    for (const std::size_t piece : {1, 2, 3, 7, 1000}) {
        const HeaderReader reader = read("Subject: a\n b\n\tc\nTo: d\n\nbody\nFrom: no\n", piece);
        EXPECT_THAT(reader.fields(), ElementsAre("Subject: a\n b\n\tc\n", "To: d\n"));
        EXPECT_EQ(reader.rest(), "\nbody\nFrom: no\n");
    }
}

TEST(HeaderReader, KeepsABodyWithoutItsLastLineEnd) {
    for (const std::size_t piece : {1, 2, 3, 7, 1000})
        EXPECT_EQ(read("a: b\n\nbody", piece).rest(), "\nbody");
    EXPECT_EQ(read("a: b\n\n", 3).rest(), "\n");
}

TEST(HeaderReader, EndsTheHeaderAtALineThatIsNoField) {
    for (const std::size_t piece : {1, 2, 3, 7, 1000}) {
        const HeaderReader reader = read("a: b\nHello, world\nx: y\n", piece);
        EXPECT_THAT(reader.fields(), ElementsAre("a: b\n"));
        EXPECT_EQ(reader.rest(), "\nHello, world\nx: y\n");
        EXPECT_EQ(read("Hello", piece).rest(), "\nHello");
        EXPECT_EQ(read(" a: b\n", piece).rest(), "\n a: b\n");
    }
}

TEST(HeaderReader, TakesAHeaderWithoutABody) {
    for (const std::size_t piece : {1, 2, 1000}) {
        EXPECT_THAT(read("a: b", piece).fields(), ElementsAre("a: b\n"));
        EXPECT_EQ(read("a: b", piece).rest(), "");
        EXPECT_THAT(read("a: b\n c", piece).fields(), ElementsAre("a: b\n c\n"));
    }
    EXPECT_THAT(read("", 1).fields(), IsEmpty());
    EXPECT_EQ(read("", 1).rest(), "");
}

TEST(HeaderReader, RenamesTheLineOfAnMbox) {
    EXPECT_THAT(read("From a@b Thu\nTo: c\n\n", 4).fields(),
                ElementsAre("MBOX-Line: From a@b Thu\n", "To: c\n"));
}

TEST(HeaderReader, TakesCarriageReturns) {
    const HeaderReader reader = read("a: b\r\n c\r\n\r\nbody\r\n", 3);
    EXPECT_THAT(reader.fields(), ElementsAre("a: b\r\n c\r\n"));
    EXPECT_EQ(reader.rest(), "\r\nbody\r\n");
}

TEST(HeaderReader, KnowsItsLimit) {
    HeaderReader reader(10);
    EXPECT_EQ(reader.add("a: 345678\n"), State::more);
    EXPECT_EQ(reader.add("x"), State::too_long);
    HeaderReader folded(10);
    EXPECT_EQ(folded.add("a: 345678901234"), State::too_long);
    HeaderReader body(10);
    EXPECT_EQ(body.add("a: b\n\n" + std::string(100, 'x')), State::done);
}

TEST(HopCounter, CountsOnlyTheHeader) {
    const std::string message =
        "Received: a\n\tReceived: folded\r\nReceived-SPF: no\nX-Received: no\nDeliv: no\nreceived : "
        "b\r\nDELIVERED-TO: c\r\nReceivedx: no\r\nSubject: "
        "Received: no, "
        "and this line is longer than any name\nX\r\nReceived: d\r\n\r\nReceived: body\r\n";
    for (const std::size_t piece : {1, 2, 3, 5, 31, 32, 33, 1000})
        EXPECT_EQ(hops(message, piece), 4u) << piece;
    EXPECT_EQ(hops("\nReceived: a\n", 1), 0u);
    EXPECT_EQ(hops("", 1), 0u);
}

TEST(MessageId, HasQmailsForm) {
    EXPECT_EQ(make_message_id(812090814, 12345, "silverton.example"),
              "<19950926044654.12345.qmail@silverton.example>");
}

}  // namespace relais::mail
