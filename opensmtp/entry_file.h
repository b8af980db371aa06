// The file of an entry: two slots, of which each login takes the older one, so that one whole record stands
// at every moment, and nothing has to be created or renamed. Pure.
//
//   slot 0 at 0, slot 1 at slot_size: the fields of encode(entry), the number of the login and a checksum over the
//   address and all of these, in hexadecimal; each field ended by NUL
//
// What a kill, a full disk or a power cut has left in a slot, or what a reader meets half written, has the
// wrong checksum and does not count; then the other slot does. A record counts only below the name that it
// was written for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "opensmtp/entry.h"

namespace relais::opensmtp {

inline constexpr std::size_t slot_size = 512;
inline constexpr std::size_t entry_file_size = 2 * slot_size;

// The newest record of a file, and where the next one goes.
struct EntryFile {
    std::optional<Entry> entry;
    std::uint64_t number = 0;     // of the newest login; 0 if there is none
    std::size_t next_offset = 0;  // of the slot for the next
};

// The record of the login with that number (from 1); at most slot_size octets.
std::string encode_slot(const Entry& entry, std::uint64_t number);
// Reads a file's content; nothing but wrong slots is an empty one.
EntryFile decode_entry_file(std::string_view address, std::string_view content);

}  // namespace relais::opensmtp
