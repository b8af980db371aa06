// Every control file there is: what reads it, what a missing one means, its bounds and its meaning.
// Programs read by this table (control/setting.h), qmail-showctl and qmail-setup go by it, and
// qmail-control(5) is made from it. The rows are in control/rows.h.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>

namespace relais::control {

enum class FileKind {
    line,      // the first line
    number,    // the first line, decimal
    domains,   // a domain a line, ".example.org" for all below it
    lines,     // a line each, in a form of its own
    pem,       // certificates and keys
    database,  // a cdb made from the file of the same name without ".cdb"
};

// Of a number. A flag is 0 for no, and any other number for yes.
enum class Unit { none, seconds, octets, flag };

struct ControlFile {
    std::string_view name;
    std::string_view reader;  // which programs read it
    FileKind kind;
    std::string_view fallback;  // what a missing one means; with me_default the value of control/me
    bool me_default = false;
    bool empty_is_missing = false;  // of a line: an empty one means what a missing file does
    std::uint64_t least = 0;        // of a number: what is smaller counts as this
    std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
    Unit unit = Unit::none;
    std::string_view words = "";  // of a line: the words that are known; "" if it is free
    std::string_view meaning;     // a line for people
};

// In alphabetical order.
std::span<const ControlFile> control_files();
// Nothing if there is no such row.
const ControlFile* find_control_file(std::string_view name);

// A name that qmail or one of its patches gives to a file, and that nothing here reads.
bool is_foreign_name(std::string_view name);
// The row that a mistyped name most likely means; nothing if none is near.
const ControlFile* nearest_control_file(std::string_view name);

// The table as the manual page qmail-control(5), in mdoc.
std::string manual_page();

}  // namespace relais::control
