#include "listen/proxy_header.h"

#include <gtest/gtest.h>

namespace relais::listen {
namespace {

using namespace std::string_literals;
using State = ProxyHeader::State;

const std::string signature = "\r\n\r\n\0\r\nQUIT\n"s;

std::string block(char command, char family, const std::string& rest) {
    return signature + command + family + static_cast<char>(rest.size() >> 8) +
           static_cast<char>(rest.size() & 255) + rest;
}

// The header alone is used, in whatever pieces it comes with the client's first octets behind it.
ProxyHeader header_of(const std::string& text, std::size_t expected_size) {
    ProxyHeader whole;
    EXPECT_EQ(whole.feed(text + "EHLO x\r\n"), expected_size) << testing::PrintToString(text);
    ProxyHeader pieces;
    std::size_t used = 0;
    for (const char c : text + "EHLO x\r\n") used += pieces.feed(std::string_view(&c, 1));
    EXPECT_EQ(used, expected_size) << testing::PrintToString(text);
    EXPECT_EQ(pieces.state(), whole.state());
    EXPECT_EQ(pieces.connection().has_value(), whole.connection().has_value());
    return whole;
}

void expect_connection(const std::string& text, const std::string& client, const std::string& local) {
    const ProxyHeader header = header_of(text, text.size());
    ASSERT_EQ(header.state(), State::complete) << testing::PrintToString(text);
    ASSERT_TRUE(header.connection()) << testing::PrintToString(text);
    EXPECT_EQ(header.connection()->client.text(), client);
    EXPECT_EQ(header.connection()->local.text(), local);
}

void expect_unknown(const std::string& text) {
    const ProxyHeader header = header_of(text, text.size());
    EXPECT_EQ(header.state(), State::complete) << testing::PrintToString(text);
    EXPECT_FALSE(header.connection()) << testing::PrintToString(text);
}

TEST(ProxyHeader, ReadsLines) {
    expect_connection("PROXY TCP4 192.0.2.7 198.51.100.1 4711 25\r\n", "192.0.2.7:4711", "198.51.100.1:25");
    expect_connection("PROXY TCP6 2001:DB8::7 2001:db8:0:0::1 4711 25\r\n", "[2001:db8::7]:4711",
                      "[2001:db8::1]:25");
    expect_connection("PROXY TCP6 ::ffff:192.0.2.7 ::ffff:198.51.100.1 1 2\r\n", "192.0.2.7:1",
                      "198.51.100.1:2");
    expect_unknown("PROXY UNKNOWN\r\n");
    expect_unknown("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n");
}

TEST(ProxyHeader, ReadsBlocks) {
    const std::string four = "\xC0\0\2\7\xC6\x33\x64\1\x12\x67\0\x19"s;
    expect_connection(block('\x21', '\x11', four), "192.0.2.7:4711", "198.51.100.1:25");
    expect_connection(block('\x21', '\x11', four + "\x04\0\3abc"s), "192.0.2.7:4711", "198.51.100.1:25");
    const std::string six =
        "\x20\1\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\7\x20\1\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\1\x12\x67\0\x19"s;
    expect_connection(block('\x21', '\x21', six), "[2001:db8::7]:4711", "[2001:db8::1]:25");
    const std::string mapped =
        "\0\0\0\0\0\0\0\0\0\0\xFF\xFF\xC0\0\2\7\0\0\0\0\0\0\0\0\0\0\xFF\xFF\xC6\x33\x64\1\x12\x67\0\x19"s;
    expect_connection(block('\x21', '\x21', mapped), "192.0.2.7:4711", "198.51.100.1:25");
    expect_unknown(block('\x20', '\0', ""));
    expect_unknown(block('\x20', '\x11', four));
    expect_unknown(block('\x21', '\0', "more"));
    expect_unknown(block('\x21', '\x12', four));
    expect_unknown(block('\x21', '\x31', std::string(216, '/')));
    expect_connection(block('\x21', '\x11', four + std::string(ProxyHeader::block_limit - 12, 't')),
                      "192.0.2.7:4711", "198.51.100.1:25");
}

TEST(ProxyHeader, RefusesWhatIsNone) {
    for (const std::string& text : {"EHLO x\r\n"s,
                                    "PROXYTCP4 1.2.3.4 1.2.3.4 1 2\r\n"s,
                                    "PROXY TCP4\r\n"s,
                                    "PROXY\r\n"s,
                                    "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n"s,
                                    "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n"s,
                                    "PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n"s,
                                    "PROXY TCP4 ::1 ::1 1 2\r\n"s,
                                    "PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n"s,
                                    "PROXY TCP4 1.2.3.256 1.2.3.4 1 2\r\n"s,
                                    "PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n"s,
                                    "PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n"s,
                                    "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n"s,
                                    "PROXY UNIX a b 1 2\r\n"s,
                                    "proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n"s,
                                    "PROXY UNKNOWN "s + std::string(200, 'x') + "\r\n",
                                    "PROXY TCP4 1.2.3.4\0 1.2.3.4 1 2\r\n"s,
                                    signature + "\x11\x11\0\0"s,
                                    signature + "\x22\x11\0\0"s,
                                    block('\x21', '\x11', "short"),
                                    block('\x21', '\x21', std::string(35, 'x')),
                                    block('\x20', '\0', std::string(ProxyHeader::block_limit + 1, 't')),
                                    "\r\n\r\n\0\r\nQUIT\r\n\r\n\r\n"s}) {
        ProxyHeader header;
        for (const char c : text) header.feed(std::string_view(&c, 1));
        EXPECT_EQ(header.state(), State::wrong) << testing::PrintToString(text);
        EXPECT_FALSE(header.connection());
    }
    // Not earlier than it is over.
    ProxyHeader header;
    header.feed("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r");
    EXPECT_EQ(header.state(), State::open);
}

}  // namespace
}  // namespace relais::listen
