// What fastforward does for an address: its target in a table, and all that this leads to.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relais::forwarding {

struct Expansion {
    std::string sender;
    std::vector<std::string> programs;  // "|COMMAND" or "!COMMAND"
    std::vector<std::string> recipients;
};

// The data of a record of the table; nothing if there is none.
using Find = std::function<std::optional<std::string>(const std::string& key)>;
// The octets of a mailing list. Throws Error.
using ReadList = std::function<std::string(const std::string& path)>;

// The first of user@host, @host and user@ that the table has, without regard to case; nothing if it has none.
// A target with an owner gets that as sender, unless the sender is the null sender or a bounce's bounce;
// within another target it stays a recipient, for it is another sender's mail. Each recipient and each list
// counts once. Throws a temporary Error for a table or list that cannot be read.
std::optional<Expansion> expand(const std::string& address, const std::string& sender, const Find& find,
                                const ReadList& read_list);

}  // namespace relais::forwarding
