// Forwarding tables and mailing lists, in their text forms and as the octets that fastforward reads.
//
// A table is a cdb. The record of the key ":TARGET" holds commands, each ended by a NUL: "&ADDRESS", "/FILE"
// or "./FILE" (a mailing list), "|COMMAND", "!COMMAND" (by preline). That of "?TARGET" holds the address that
// bounces go to. newaliases also writes ":/FILE", a text file of addresses, and "&NAME@", a name of this host
// (aliases.h). A mailing list is a file of such commands, of the first two kinds.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace relais::forwarding {

struct Record {
    std::string key;
    std::string data;
};

// Recipients have at most so many octets.
inline constexpr std::size_t recipient_limit = 800;

// The records of a table in setforward's language, "TARGET: COMMAND, COMMAND;", in the order in which it
// writes them. Throws a permanent Error.
std::vector<Record> parse_table(std::string_view text);
// A record in that language, as printforward prints it; nothing for a key of another kind. Throws a permanent
// Error "bad database format".
std::string print_record(const Record& record);

// A mailing list in setmaillist's language, a line for each command. Throws a temporary Error, as setmaillist
// always did.
std::string parse_list(std::string_view text);
// A mailing list as printmaillist prints it. Throws a permanent Error "bad mailing list format".
std::string print_list(std::string_view list);

// The commands, without their NULs; views into data. Throws a permanent Error with this text if the last one
// is not ended or one is empty.
std::vector<std::string_view> commands_of(std::string_view data, const char* otherwise);

}  // namespace relais::forwarding
