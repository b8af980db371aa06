// A look into a home directory: is there a .qmail file for this extension? qmail-rcptd's half that speaks
// with clients has no right to look, so it asks the half that may become users, which asks a process of that
// user. Packets:
//
//   question = id (8 octets, little-endian) uid (4) gid (4) assigned (1) local-part-length (2) local-part user
//   to the user's process = id (8) user
//   answer   = id (8) RecipientAnswer (1)
//
// user is what encode_user writes. The half that may become users reads the numbers and the local part alone;
// the user's fields are read by the process that has become the user.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "local/recipient_protocol.h"
#include "local/user.h"

namespace relais::local {

inline constexpr std::size_t home_look_limit = 16384;
inline constexpr std::size_t home_answer_size = 8 + 1;

struct HomeQuestion {
    std::uint64_t id = 0;
    uid_t uid = 0;
    gid_t gid = 0;
    bool assigned = false;
    std::string_view local;
    std::string_view user;
};
std::string encode(const HomeQuestion& question);
// Nothing for anything that is not exactly right. The views point into the packet.
std::optional<HomeQuestion> decode_home_question(std::string_view packet);

struct UserQuestion {
    std::uint64_t id = 0;
    User user;
};
std::string encode_user_question(std::uint64_t id, std::string_view user);
std::optional<UserQuestion> decode_user_question(std::string_view packet);

struct HomeAnswer {
    std::uint64_t id = 0;
    RecipientAnswer answer = RecipientAnswer::not_now;
};
std::string encode(const HomeAnswer& answer);
std::optional<HomeAnswer> decode_home_answer(std::string_view packet);

}  // namespace relais::local
