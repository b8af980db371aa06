// A file of aliases as sendmail's administrators write it (aliases(5)), as the records of a forwarding table.
//
//   NAME: RECIPIENT, RECIPIENT ...     a line that begins with a blank goes on with the one before
//
// A recipient is an address, a name of this host (perhaps another alias), \NAME (no alias any more),
// "|COMMAND", :include:/FILE or /dev/null. NAME becomes the target "NAME@", another name the recipient
// "NAME@", a command one that has the lines of preline on top, and :include:/FILE the command ":/FILE".
// Mail for NAME has the sender owner-NAME, where that is an alias.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "control/home.h"
#include "forwarding/table.h"

namespace relais::forwarding {

// The records, those of one name together. domain: of the owners' addresses. Throws a permanent Error that
// names the line: what cannot be read, or means what a table cannot hold (a file to deliver into), a name
// that stands there twice, an alias that leads to nobody.
std::vector<Record> parse_aliases(std::string_view text, const std::string& domain);

// What a file of :include: names, one or several addresses a line, # before a remark: commands each ended by
// a NUL. Whoever may write it names addresses and nothing else. Throws a temporary Error.
std::string parse_include(std::string_view text);

struct CompiledAliases {
    std::string source;
    std::size_t aliases = 0;
};
// Makes users/aliases.cdb from the file that control/aliases names. Throws Error: among others for a file
// that somebody else than root, the instance's owner and alias may have written.
CompiledAliases compile_aliases(const control::Home& home);

}  // namespace relais::forwarding
