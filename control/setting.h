// A control file read by its row of the table: read<"timeoutsmtpd">(home) gives seconds, within the row's
// bounds, and the row's default where there is no such file. A name without a row does not compile.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "control/control_file.h"
#include "control/rows.h"

namespace relais::control {

// A string as a template's argument.
template <std::size_t size>
struct FileName {
    consteval FileName(const char (&from)[size]) { std::copy_n(from, size, text.begin()); }
    std::array<char, size> text{};
    constexpr std::string_view view() const { return {text.data(), size - 1}; }
};

namespace detail {

consteval const ControlFile& row_named(std::string_view name) {
    for (const ControlFile& each : rows::table)
        if (each.name == name) return each;
    throw "control/rows.h has no row of that name";
}

constexpr std::uint64_t default_number(const ControlFile& row) {
    std::uint64_t value = 0;
    for (const char digit : row.fallback) value = value * 10 + static_cast<std::uint64_t>(digit - '0');
    return value;
}

std::uint64_t read_number(const Home& home, const ControlFile& row);
std::string read_line(const Home& home, const ControlFile& row);
std::vector<std::string> read_lines(const Home& home, const ControlFile& row);

}  // namespace detail

template <FileName name>
inline constexpr const ControlFile& row = detail::row_named(name.view());

// What a missing file means: seconds, bool (of a flag), uint64_t (of other numbers), or string_view.
template <FileName name>
constexpr auto default_of() {
    constexpr const ControlFile& the_row = row<name>;
    if constexpr (the_row.kind != FileKind::number)
        return the_row.fallback;
    else if constexpr (the_row.unit == Unit::seconds)
        return std::chrono::seconds(detail::default_number(the_row));
    else if constexpr (the_row.unit == Unit::flag)
        return detail::default_number(the_row) != 0;
    else
        return detail::default_number(the_row);
}

// The value: of a number as for default_of, of a line a string, of domains and lines a vector of strings (the
// default, where it is not empty, as one line). Throws Error when the file cannot be read, or is missing and
// control/me with it.
template <FileName name>
auto read(const Home& home) {
    constexpr const ControlFile& the_row = row<name>;
    static_assert(the_row.kind != FileKind::pem && the_row.kind != FileKind::database);
    if constexpr (the_row.kind == FileKind::line)
        return detail::read_line(home, the_row);
    else if constexpr (the_row.kind != FileKind::number)
        return detail::read_lines(home, the_row);
    else if constexpr (the_row.unit == Unit::seconds)
        return std::chrono::seconds(detail::read_number(home, the_row));
    else if constexpr (the_row.unit == Unit::flag)
        return detail::read_number(home, the_row) != 0;
    else
        return detail::read_number(home, the_row);
}

// The line or lines of the file, and nothing if there is none: for whom that is no default but another case.
// Throws Error when it cannot be read.
template <FileName name>
auto read_if_there(const Home& home) {
    constexpr const ControlFile& the_row = row<name>;
    if constexpr (the_row.kind == FileKind::line || the_row.kind == FileKind::number)
        return read_line(home, the_row.name);
    else
        return read_lines(home, the_row.name);
}

}  // namespace relais::control
