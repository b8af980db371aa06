// A line from a POP3 client (RFC 1939, 3), read without any state.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace relais::pop3 {

// RFC 2449 (4) allows 255 octets; longer passwords than that allows pass too.
inline constexpr std::size_t line_limit = 1000;

struct Command {
    std::string verb;  // in upper case
    // All behind the first space, as it stands: a password may have spaces in it. Views the line.
    std::string_view argument;
};

// line is without CR and LF.
Command parse_command(std::string_view line);

// The number of a message, from 1; nothing for what is none.
std::optional<std::uint64_t> parse_message_number(std::string_view text);

struct NumberPair {
    std::uint64_t first;
    std::uint64_t second;
};
// "MESSAGE LINES", what TOP takes; LINES may be 0.
std::optional<NumberPair> parse_top(std::string_view text);

struct NameDigest {
    std::string_view name;
    std::string_view digest;
};
// What APOP takes: the last word is the digest, 32 hexadecimal digits.
std::optional<NameDigest> parse_apop(std::string_view text);

}  // namespace relais::pop3
