#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "packed/message_parts.h"
#include "packed/unpack.h"

namespace relais::packed {
namespace {

using testing::ElementsAre;

constexpr std::size_t limit = 1 << 20;

void append_number(std::string& to, std::uint64_t value, int octets) {
    for (int i = 0; i < octets; ++i) to += static_cast<char>((value >> (8 * i)) & 0xff);
}

// A local header with its data; the method and the flags as they are said.
std::string zipped(const std::string& data, unsigned method, unsigned flags, std::size_t size) {
    std::string head = "PK\x03\x04";
    append_number(head, 20, 2);
    append_number(head, flags, 2);
    append_number(head, method, 2);
    append_number(head, 0, 8);
    append_number(head, (flags & 8) != 0 ? 0 : data.size(), 4);
    append_number(head, (flags & 8) != 0 ? 0 : size, 4);
    append_number(head, 5, 2);
    append_number(head, 0, 2);
    std::string all = head + "a.xml" + data;
    if ((flags & 8) != 0) all += "PK\x07\x08" + std::string(12, 'x');
    return all;
}

// The stream of gzip without its head and its end.
std::string deflated(const std::string& text) {
    const std::string whole = gzip(text);
    return whole.substr(10, whole.size() - 18);
}

std::vector<std::string> files_in(const std::string& data) {
    std::size_t room = limit;
    auto found = unzip(data, room);
    auto* const files = std::get_if<std::vector<std::string>>(&found);
    return files != nullptr ? std::move(*files) : std::vector<std::string>{std::get<Complaint>(found).text};
}

TEST(Unpack, AZipOfSeveralFiles) {
    const std::string two = zipped("stored", 0, 0, 6) + zipped(deflated("deflated"), 8, 8, 8);
    EXPECT_THAT(files_in(two + "PK\x01\x02 and the list"), ElementsAre("stored", "deflated"));
    EXPECT_THAT(files_in(zipped(deflated("x"), 8, 8, 1) + zipped("y", 0, 0, 1)), ElementsAre("x", "y"));
}

TEST(Unpack, AZipThatCannotBeRead) {
    EXPECT_THAT(files_in("PK\x03\x04"), ElementsAre("its zip is damaged or cut off"));
    EXPECT_THAT(files_in(zipped("x", 0, 1, 1)), ElementsAre("its zip is encrypted"));
    EXPECT_THAT(files_in(zipped("x", 14, 0, 1)),
                ElementsAre("its zip is packed in a way that is not known here"));
    EXPECT_THAT(files_in(zipped("x", 0, 8, 1)), ElementsAre("its zip does not say how long a file is"));
    EXPECT_THAT(files_in(zipped("", 0, 0, 0)), ElementsAre("its zip has no file"));
    EXPECT_THAT(files_in(zipped(deflated("abc").substr(0, 2), 8, 0, 3)),
                ElementsAre("its zip is damaged or cut off"));
    std::string many;
    for (int i = 0; i < 30; ++i) many += zipped("x", 0, 0, 1);
    EXPECT_THAT(files_in(many), ElementsAre("its zip has more files than any report"));
}

TEST(Unpack, BombsAreNotUnpacked) {
    const std::string blanks(8 << 20, ' ');
    EXPECT_THAT(files_in(zipped(deflated(blanks), 8, 0, 1)),
                ElementsAre("unpacked it is larger than any report is"));
    std::size_t room = 16 << 20;
    const auto within_room = gunzip(gzip(blanks), room);
    ASSERT_TRUE(std::holds_alternative<Complaint>(within_room)) << "its ratio is that of a bomb";
    EXPECT_LT(room, std::size_t{16} << 20) << "what came out for nothing counts too";
    room = limit;
    const auto small = gunzip(gzip(std::string(900'000, ' ')), room);
    EXPECT_TRUE(std::holds_alternative<std::string>(small));
    EXPECT_EQ(room, limit - 900'000);
    // What two files need together.
    const std::string half(600'000, 'x');
    EXPECT_THAT(files_in(zipped(half, 0, 0, half.size()) + zipped(half, 0, 0, half.size())),
                ElementsAre("unpacked it is larger than any report is"));
}

TEST(MessageParts, OfAMessageWithinAMessage) {
    const std::string text =
        "Subject: x\nContent-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: "
        "text/plain\n\nhello\n--a\n"
        "Content-Type: application/GZIP; name=\"R.xml.gz\"\nContent-Transfer-Encoding: BASE64\n"
        "Content-Disposition: attachment; filename=x\n\naGVs\nbG8=\n--a--\n";
    const auto parts = parts_of(text);
    ASSERT_GE(parts.size(), 3U);
    EXPECT_EQ(parts[0].type, "multipart/mixed; boundary=a");
    EXPECT_EQ(octets_of(parts[1]), "hello");
    EXPECT_EQ(parts[2].type, "application/gzip; name=\"r.xml.gz\"");
    EXPECT_EQ(parts[2].disposition, "attachment; filename=x");
    EXPECT_EQ(octets_of(parts[2]), "hello");
    EXPECT_TRUE(parts_of("").empty());
    const auto within = parts_of("Content-Type: message/rfc822\n\nContent-Type: application/gzip\n\nhello\n");
    ASSERT_EQ(within.size(), 2U);
    EXPECT_EQ(within[1].type, "application/gzip");
    EXPECT_EQ(octets_of(within[1]), "hello");
}

}  // namespace
}  // namespace relais::packed
