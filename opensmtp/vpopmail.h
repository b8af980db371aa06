// vpopmail's file open-smtp, a line per address, in all the spellings in which it is met:
//
//   192.0.2.7:allow,RELAYCLIENT="",RBLSMTPD=""<TAB>1029581749
//   192.0.2.7:allow,RELAYCLIENT="" ,RBLSMTPD="" 1029581749
//
// Blanks may stand around the commas and before the time; RBLSMTPD may be missing. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace relais::opensmtp {

struct VpopmailLine {
    std::string address;  // canonical
    std::int64_t wall;    // of the last login
};

// Nothing for a line that lets nobody relay: empty, a comment, deny, no RELAYCLIENT, no time, no address.
std::optional<VpopmailLine> parse_vpopmail_line(std::string_view line);
// The line as vpopmail writes it, with its LF. norbl: with RBLSMTPD="".
std::string vpopmail_line(std::string_view address, std::int64_t wall, bool norbl);
// The newest login from this address (canonical) in a whole file; found without parsing every line.
std::optional<VpopmailLine> find_vpopmail_line(std::string_view content, std::string_view address);

}  // namespace relais::opensmtp
