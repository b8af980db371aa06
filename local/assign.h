// users/assign: a line for each address or group of addresses, and how qmail-newu compiles them into
// users/cdb.
//
//   =local:user:uid:gid:home:dash:ext:       this address
//   +prefix:user:uid:gid:home:dash:pre:      every address that begins with prefix; what follows goes behind
//   pre .                                        the last line: the file is whole
#pragma once

#include <string>
#include <string_view>

#include "control/home.h"

namespace relais::local {

// One line as a record of users/cdb. The key is '!' and the address in lower case, with a NUL when it is
// exact; the data is what decode_user reads.
struct AssignRecord {
    std::string key;
    std::string data;
    char wildcard_end =
        '\0';  // the last character of a prefix; NUL for an exact address and for the empty prefix
};

// Reads one line, without its line end. A line whose last field is empty may lack the colon behind it. Throws
// a permanent Error that says what is wrong with the line.
AssignRecord parse_assign_line(std::string_view line);

// Compiles $QMAILHOME/users/assign into users/cdb, which is replaced as a whole or not at all. A line that
// cannot be read, or a missing last line, throws a temporary Error "bad format in users/assign: ..." with the
// line's number.
void compile_assign(const control::Home& home);

}  // namespace relais::local
