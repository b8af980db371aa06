// What others have packed: gzip (RFC 1952) and zip, in memory, with limits; and what we pack. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace relais::packed {

// What is wrong with it, for people.
struct Complaint {
    std::string text;
};

// Files in one zip. Octets that come out of one that goes in, beyond the first million: what is more is made
// to do harm.
inline constexpr std::size_t files_limit = 20;
inline constexpr std::size_t ratio_limit = 300;

// One file of gzip, in one member or several. room: octets that may come out. It is less afterwards by all
// that came, be it of use or not.
inline constexpr std::string_view gzip_magic = "\x1f\x8b";
std::variant<std::string, Complaint> gunzip(std::string_view data, std::size_t& room);

// One member of gzip, without a name and a time. Throws Error without memory.
std::string gzip(std::string_view data);

// The plain files of a zip, stored or deflated, by their local headers: neither names nor paths are used.
// room: as above, for all of them.
inline constexpr std::string_view zip_magic = "PK\x03\x04";
std::variant<std::vector<std::string>, Complaint> unzip(std::string_view data, std::size_t& room);

}  // namespace relais::packed
