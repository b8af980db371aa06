#include "local/user.h"

#include <limits>
#include <vector>

#include "base/text.h"

namespace relais::local {

std::optional<uid_t> parse_id(std::string_view text) {
    const auto number = parse_number(text);
    if (!number || *number >= std::numeric_limits<uid_t>::max()) return std::nullopt;
    return static_cast<uid_t>(*number);
}

std::optional<User> decode_user(std::string_view data, std::string_view rest) {
    const std::vector<std::string_view> fields = split(data, '\0');
    if (fields.size() != 6) return std::nullopt;
    const auto uid = parse_id(fields[1]);
    const auto gid = parse_id(fields[2]);
    if (!uid || !gid || fields[3].empty() || fields[3].front() != '/') return std::nullopt;
    User user{std::string(fields[0]), *uid, *gid, std::string(fields[3]), std::string(fields[4]),
              std::string(fields[5])};
    user.extension += rest;
    return user;
}

std::string encode_user(const User& user) {
    std::string text;
    for (const std::string& field : {user.name, std::to_string(user.uid), std::to_string(user.gid), user.home,
                                     user.dash, user.extension})
        text.append(field).append(1, '\0');
    return text;
}

}  // namespace relais::local
