#include "opensmtp/entry_file.h"

#include <fmt/core.h>

#include "base/text.h"

namespace relais::opensmtp {
namespace {

constexpr std::size_t entry_fields = 6;

struct Slot {
    Entry entry;
    std::uint64_t number;
};

// FNV-1a with 64 bits: against torn writes, not against malice.
std::uint64_t checksum(std::string_view address, std::string_view fields) {
    std::uint64_t sum = 14695981039346656037U;
    const auto add = [&sum](std::string_view text) {
        for (const char c : text) sum = (sum ^ static_cast<unsigned char>(c)) * 1099511628211U;
    };
    add(address);
    add({"\0", 1});
    add(fields);
    return sum;
}

std::string checksum_text(std::string_view address, std::string_view fields) {
    return fmt::format("{:016x}", checksum(address, fields));
}

// The length of the first fields of a slot with their NULs; nothing if there are not so many.
std::optional<std::size_t> length_of(std::string_view slot, std::size_t fields) {
    std::size_t end = 0;
    for (; fields > 0; --fields) {
        const std::size_t nul = slot.find('\0', end);
        if (nul == std::string_view::npos) return std::nullopt;
        end = nul + 1;
    }
    return end;
}

std::optional<Slot> decode_slot(std::string_view address, std::string_view slot) {
    const auto entry_end = length_of(slot, entry_fields);
    const auto number_end = length_of(slot, entry_fields + 1);
    const auto end = length_of(slot, entry_fields + 2);
    if (!end) return std::nullopt;
    const std::string_view sum = slot.substr(*number_end, *end - *number_end - 1);
    if (sum != checksum_text(address, slot.substr(0, *number_end))) return std::nullopt;
    const auto number = parse_number(slot.substr(*entry_end, *number_end - *entry_end - 1));
    auto entry = decode_entry(std::string(address), slot.substr(0, *entry_end));
    if (!entry || !number || *number == 0) return std::nullopt;
    return Slot{std::move(*entry), *number};
}

}  // namespace

std::string encode_slot(const Entry& entry, std::uint64_t number) {
    std::string fields = encode(entry) + std::to_string(number);
    fields += '\0';
    fields += checksum_text(entry.address, fields);
    fields += '\0';
    return fields;
}

EntryFile decode_entry_file(std::string_view address, std::string_view content) {
    EntryFile file;
    for (std::size_t offset = 0; offset < entry_file_size && offset < content.size(); offset += slot_size) {
        auto slot = decode_slot(address, content.substr(offset, slot_size));
        if (!slot || slot->number <= file.number) continue;
        file.entry = std::move(slot->entry);
        file.number = slot->number;
        file.next_offset = offset == 0 ? slot_size : 0;
    }
    return file;
}

}  // namespace relais::opensmtp
