// Password programs: whoever checks a login by the interface of checkpassword. It reads three fields, each
// ended by a NUL, from descriptor 3 and exits 0 (right: it has run its argument, which is /bin/true), 1
// (refused), or with anything else (it cannot say).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "auth/protocol.h"

namespace relais::auth {

struct ProgramSettings {
    std::vector<std::string> words;  // the program and its arguments; empty: there is none
    // CRAM-MD5 can be asked of it, with user, response and challenge, or the last two the other way about.
    enum class Cram { no, response_first, challenge_first } cram = Cram::no;
};

// The lines of control/authprogram: the command, then perhaps "cram-md5" or "cram-md5-swapped". "/bin/true"
// is added to a command of one word. Throws a permanent Error.
ProgramSettings parse_program(const std::vector<std::string>& lines);

struct ProgramQuestion {
    std::vector<std::string> words;
    std::string_view fields[3];
    std::size_t limit = 512;         // of all fields with their NULs, as the interface has it
    std::string_view service;        // $SERVICE
    std::string_view address;        // $TCPREMOTEIP
    std::string_view mechanism;      // $AUTHMECHANISM
    bool names_the_account = false;  // the program's first line of output is the account
};
// Runs it and waits. Only for a process forked for it. Never throws.
Answer ask_program(const ProgramQuestion& question);

}  // namespace relais::auth
