// The kinds of rows that the table of control files has (control/rows.h), each with the bounds and the unit
// that its kind knows.
#pragma once

#include <cstdint>
#include <limits>
#include <string_view>

#include "control/table.h"

namespace relais::control::rows {

inline constexpr std::uint64_t unbounded = std::numeric_limits<std::uint64_t>::max();
inline constexpr std::uint64_t a_day = 86400;
inline constexpr std::uint64_t a_week = 7 * a_day;
inline constexpr std::uint64_t a_year = 366 * a_day;

// A line; an empty one is an empty value.
constexpr ControlFile line(std::string_view name, std::string_view reader, std::string_view fallback,
                           std::string_view meaning) {
    return {.name = name, .reader = reader, .kind = FileKind::line, .fallback = fallback, .meaning = meaning};
}
// A line that cannot be empty: an empty one means what a missing file does.
constexpr ControlFile text(std::string_view name, std::string_view reader, std::string_view fallback,
                           std::string_view meaning) {
    ControlFile row = line(name, reader, fallback, meaning);
    row.empty_is_missing = true;
    return row;
}
// A line of known words, separated by blanks.
constexpr ControlFile words(std::string_view name, std::string_view reader, std::string_view fallback,
                            std::string_view known, std::string_view meaning) {
    ControlFile row = line(name, reader, fallback, meaning);
    row.words = known;
    return row;
}
// A line; without the file, control/me.
constexpr ControlFile me_line(std::string_view name, std::string_view reader, std::string_view meaning) {
    ControlFile row = line(name, reader, "", meaning);
    row.me_default = true;
    return row;
}
constexpr ControlFile lines(std::string_view name, std::string_view reader, std::string_view fallback,
                            std::string_view meaning) {
    ControlFile row = line(name, reader, fallback, meaning);
    row.kind = FileKind::lines;
    return row;
}
constexpr ControlFile domains(std::string_view name, std::string_view reader, std::string_view meaning) {
    ControlFile row = line(name, reader, "", meaning);
    row.kind = FileKind::domains;
    return row;
}
constexpr ControlFile me_domains(std::string_view name, std::string_view reader, std::string_view meaning) {
    ControlFile row = domains(name, reader, meaning);
    row.me_default = true;
    return row;
}
// A count. What is outside of the bounds counts as the nearer one.
constexpr ControlFile number(std::string_view name, std::string_view reader, std::string_view fallback,
                             std::uint64_t least, std::uint64_t most, std::string_view meaning) {
    ControlFile row = line(name, reader, fallback, meaning);
    row.kind = FileKind::number;
    row.least = least;
    row.most = most;
    return row;
}
constexpr ControlFile number(std::string_view name, std::string_view reader, std::string_view fallback,
                             std::uint64_t least, std::string_view meaning) {
    return number(name, reader, fallback, least, unbounded, meaning);
}
constexpr ControlFile seconds(std::string_view name, std::string_view reader, std::string_view fallback,
                              std::uint64_t least, std::uint64_t most, std::string_view meaning) {
    ControlFile row = number(name, reader, fallback, least, most, meaning);
    row.unit = Unit::seconds;
    return row;
}
constexpr ControlFile octets(std::string_view name, std::string_view reader, std::string_view fallback,
                             std::string_view meaning) {
    ControlFile row = number(name, reader, fallback, 0, meaning);
    row.unit = Unit::octets;
    return row;
}
// 0 for no, any other number for yes.
constexpr ControlFile flag(std::string_view name, std::string_view reader, std::string_view fallback,
                           std::string_view meaning) {
    ControlFile row = number(name, reader, fallback, 0, meaning);
    row.unit = Unit::flag;
    return row;
}
// Never shown, nor read as lines: there may be a private key in it.
constexpr ControlFile pem(std::string_view name, std::string_view reader, std::string_view meaning) {
    ControlFile row = line(name, reader, "", meaning);
    row.kind = FileKind::pem;
    return row;
}
// Made from the file of the same name without ".cdb".
constexpr ControlFile database(std::string_view name, std::string_view reader, std::string_view meaning) {
    ControlFile row = line(name, reader, "", meaning);
    row.kind = FileKind::database;
    return row;
}

}  // namespace relais::control::rows
