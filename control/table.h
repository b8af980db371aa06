// Every control file there is: what reads it, what a missing one means. qmail-showctl, qmail-setup and the
// tests go by this table; a program that reads a new file adds a row.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
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

struct ControlFile {
    std::string_view name;
    std::string_view reader;  // which programs read it
    FileKind kind;
    std::string_view fallback;  // what a missing one means; with me_default the value of control/me
    bool me_default;
    std::uint64_t minimum;     // of a number: what is smaller makes no sense
    std::string_view meaning;  // a line for people
};

// In alphabetical order.
std::span<const ControlFile> control_files();
// Nothing if there is no such row.
const ControlFile* find_control_file(std::string_view name);

// A name that qmail or one of its patches gives to a file, and that nothing here reads.
bool is_foreign_name(std::string_view name);
// The row that a mistyped name most likely means; nothing if none is near.
const ControlFile* nearest_control_file(std::string_view name);

}  // namespace relais::control
