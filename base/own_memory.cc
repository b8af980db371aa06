#include "base/own_memory.h"

#include <sys/mman.h>

#include <charconv>
#include <cstdint>
#include <cstring>
#include <exception>
#include <optional>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/text.h"

namespace relais {
namespace {

constexpr std::uintptr_t huge = std::uintptr_t{2} << 20;
// What is larger is reserved rather than used.
constexpr std::size_t largest_region = std::size_t{64} << 20;
constexpr std::size_t maps_limit = std::size_t{1} << 20;

struct Region {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    int protection = 0;
};

char* pointer(std::uintptr_t address) {
    return reinterpret_cast<char*>(address);
}

std::optional<std::uintptr_t> take_hexadecimal(std::string_view& text) {
    std::uintptr_t value = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
    if (problem != std::errc()) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return value;
}

// A line of /proc/self/maps: "BEGIN-END rwxp OFFSET DEVICE INODE NAME". Nothing for what is shared, is a file's and
// unchanged, or is the stack.
std::optional<Region> own_region(std::string_view line) {
    const auto begin = take_hexadecimal(line);
    if (!begin || !line.starts_with('-')) return std::nullopt;
    line.remove_prefix(1);
    const auto end = take_hexadecimal(line);
    if (!end || line.size() < 6 || line[1] != 'r' || line[4] != 'p') return std::nullopt;
    const bool writable = line[2] == 'w';
    const auto words = split(line.substr(1), ' ');
    const bool anonymous = words.size() > 3 && words[3] == "0";
    const bool special = line.find('[') != std::string_view::npos && !line.ends_with("[heap]");
    if (special || (!writable && !anonymous) || *end - *begin > largest_region) return std::nullopt;
    return Region{*begin, *end, PROT_READ | (writable ? PROT_WRITE : 0) | (line[3] == 'x' ? PROT_EXEC : 0)};
}

// Between copy and move nothing here may write to memory but the stack.
bool renew(const Region& region) {
    const std::size_t size = region.end - region.begin;
    const bool is_huge = region.begin % huge == 0 && size % huge == 0;
    const std::size_t room_size = size + (is_huge ? huge : 0);
    void* const room = ::mmap(nullptr, room_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED) return false;
    const auto begin = reinterpret_cast<std::uintptr_t>(room);
    const std::uintptr_t aligned = is_huge ? (begin + huge - 1) & ~(huge - 1) : begin;
    char* const copy = pointer(aligned);
    if (is_huge) ::madvise(copy, size, MADV_HUGEPAGE);
    bool moved = ::madvise(copy, size, MADV_POPULATE_WRITE) == 0;
    if (moved) {
        std::memcpy(copy, pointer(region.begin), size);
        moved =
            ::mprotect(copy, size, region.protection) == 0 &&
            ::mremap(copy, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, pointer(region.begin)) != MAP_FAILED;
    }
    if (!moved) {
        ::munmap(room, room_size);
        return false;
    }
    if (aligned > begin) ::munmap(room, aligned - begin);
    if (begin + room_size > aligned + size)
        ::munmap(pointer(aligned + size), begin + room_size - aligned - size);
    return true;
}

}  // namespace

void part_from_children() noexcept {
#ifdef RELAIS_SANITIZED
    return;  // its own memory must stay where it is
#endif
    try {
        const std::string maps = read_file("/proc/self/maps", maps_limit).value_or("");
        std::vector<Region> regions;
        for (const std::string_view line : split(maps, '\n'))
            if (const auto region = own_region(line)) regions.push_back(*region);
        for (const Region& region : regions)
            if (!renew(region)) return;
    } catch (const std::exception&) {
        // It was worth a try.
    }
}

}  // namespace relais
