// What stands in the files of an Exim spool (its specification, "Format of spool files"), and what is made
// of it. Pure; anything may stand in them.
//
//   ID-H   ID-H LF user uid gid LF <sender> LF time warnings LF (-name value LF)* tree count LF (recipient LF)* LF field*
//          tree: XX LF, or for each node (Y|N)(Y|N) SP address LF, left and right behind it
//          recipient: address [ORCPT length,notify errors-to length,parent#3]
//          field: its length, a letter ("*": not sent), SP, the octets
//   ID-D   ID-D LF, then the body
//   ID-J   (address LF)*      delivered since ID-H was written
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "queue/store.h"

namespace relais::setup {

struct EximHeader {
    std::string fault{};  // what was left out, and why; "" if nothing
    bool whole = false;
    std::uint64_t birth = 0;  // microseconds
    queue::Envelope envelope{};
    bool wire = false;                // the body has CR LF
    std::vector<std::string> done{};  // who has had it: recipients, and what they stand for
    std::string fields{};             // the message's header, without the empty line
};
// id: what the file's name says.
EximHeader parse_exim_header(std::string_view file, std::string_view id);

// The body in a -D file; nothing if that does not begin with its id.
std::optional<std::string> parse_exim_body(std::string_view file, std::string_view id, bool wire);
// Addresses of a -J file; a last line that is cut off is none.
std::vector<std::string> parse_exim_journal(std::string_view file);

// Marks who has had it. What is left over are addresses that recipients stand for: these had it, and get it
// again if a recipient is still to do. Compares with the domain in any case.
std::vector<std::string> mark_done(queue::Envelope& envelope, const std::vector<std::string>& done);

}  // namespace relais::setup
