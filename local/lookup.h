// User look-ups for qmail-lspawn, in a process of their own that runs as qmailp: users/cdb, the system's user
// data base and everything behind it are read there and never by root. Over a packet pair it gets questions
// and gives answers, each question one answer, in order.
//
//   question = delivery (8 octets, little-endian) local-part
//   answer   = delivery (8) result (1: Lookup) assigned (1) uid (4) gid (4) program-limit and delivery-limit in seconds (4 each, 0 for none) user
//   user     = the six fields of encode_user; for the other results the text of the report
//
// qmail-lspawn reads the numbers only; the user's fields are read by the delivery, when it runs as the user.
#pragma once

#include <sys/types.h>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace relais::local {

inline constexpr std::size_t lookup_packet_limit = 16384;
inline constexpr std::size_t question_head_size = 8;
inline constexpr std::size_t answer_head_size = 8 + 1 + 1 + 4 * 4;
inline constexpr int lookup_socket = 3;  // in the look-up process

enum class Lookup : char {
    found = 'F',
    trouble = 'T',  // cannot be told now
};

struct LookupAnswer {
    std::uint64_t delivery = 0;
    Lookup result = Lookup::trouble;
    bool assigned = false;  // by users/cdb: so it is until something changes in users/ or control/
    uid_t uid = 0;
    gid_t gid = 0;
    std::uint32_t program_limit = 0;
    std::uint32_t delivery_limit = 0;
    std::string text;
};

struct LookupQuestion {
    std::uint64_t delivery = 0;
    std::string_view local;
};

std::string encode_question(std::uint64_t delivery, std::string_view local);
std::string encode(const LookupAnswer& answer);
// Nothing for anything that is not exactly right. The question's view points into the packet.
std::optional<LookupQuestion> decode_question(std::string_view packet);
std::optional<LookupAnswer> decode_lookup_answer(std::string_view packet);

}  // namespace relais::local
