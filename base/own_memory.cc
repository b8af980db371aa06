#include "base/own_memory.h"

#include <sys/mman.h>

#include <charconv>
#include <cstdint>
#include <exception>
#include <optional>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/page_move.h"
#include "base/text.h"

namespace relais {
namespace {

// What is larger is reserved rather than used.
constexpr std::size_t largest_region = std::size_t{64} << 20;
constexpr std::size_t maps_limit = std::size_t{1} << 20;

struct Region {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    int protection = 0;
};

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

bool renew(const Region& region) {
    const bool is_huge = region.begin % huge_page_size == 0 && region.end % huge_page_size == 0;
    return replace_pages({region.begin, region.end, region.begin, region.end, region.protection,
                          is_huge ? HugePages::wanted : HugePages::none});
}

}  // namespace

void part_from_children() noexcept {
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
