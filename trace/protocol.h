// What qmail-smtpd and qmail-send tell qmail-traced, in packets over a SOCK_SEQPACKET socket of each
// (sockets/trace-smtp, trace-send); nothing is answered. Whoever tells never waits: what does not fit the
// socket's buffer is lost, and counted.
//
//   packet = record*                     at most packet_limit octets
//   record = length (4 octets, little-endian, of what follows) time (8 octets, microseconds) kind NUL
//            (name NUL value NUL)*       name: of a field; a list is its name again for each value
//
// qmail-traced trusts none of it: lengths are checked, and a record that is wrong ends the connection.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/event.h"

namespace relais::trace {

inline constexpr std::size_t packet_limit = 60 * 1024;
// Of one value; and of the values of a list together, so that a message to thousands has its record.
inline constexpr std::size_t value_limit = 1000;
inline constexpr std::size_t list_values = 200;
inline constexpr std::size_t record_limit = 32 * 1024;
inline constexpr std::size_t fields_limit = 256;

struct Record {
    std::uint64_t time = 0;  // microseconds since 1970
    std::string kind{};
    std::vector<std::pair<std::string, std::string>> fields{};

    // The first value of that name, "" if there is none.
    std::string_view field(std::string_view name) const;
    // As a number; 0 if it is none.
    std::uint64_t number(std::string_view name) const;
};

// NULs in values become '_', what is too long is cut.
std::string encode(const Event& event, std::uint64_t time);
std::string encode(const Record& record);
// Nothing unless all of it is exactly right.
std::optional<std::vector<Record>> decode(std::string_view packet);

}  // namespace relais::trace
