// Who gets a local delivery: the six fields that users/assign, the password file or the alias user lead to.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

namespace relais::local {

struct User {
    std::string name;
    uid_t uid = 0;
    gid_t gid = 0;
    std::string home;  // absolute
    std::string dash;  // what stands between ".qmail" and the extension: "-", or nothing for the user himself
    std::string extension;  // names the .qmail file; from a wildcard: its prefix and the rest of the address
};

// A user or group id that a delivery may have, from decimal text: anything but what means "none" to the
// kernel.
std::optional<uid_t> parse_id(std::string_view text);

// Reads the data of a record of users/cdb: name, uid, gid, home, dash and extension, with NULs between them;
// rest is what a wildcard left over and goes behind the extension. Nothing if the data is wrong in any way.
std::optional<User> decode_user(std::string_view data, std::string_view rest);

// The six fields as qmail-getpw prints them, a NUL after each.
std::string encode_user(const User& user);

}  // namespace relais::local
