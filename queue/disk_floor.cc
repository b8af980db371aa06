#include "queue/disk_floor.h"

#include <sys/statvfs.h>

#include <algorithm>

#include "base/error.h"
#include "base/program.h"
#include "base/text.h"
#include "control/setting.h"

namespace relais::queue {
namespace {

constexpr std::uint64_t octets_of_inode = 100'000;
constexpr std::uint64_t largest = std::uint64_t{1} << 60;

bool take_word(std::string_view word, FreeSpace& result) {
    const bool percent = word.ends_with('%');
    const auto number = parse_number(word.substr(0, word.size() - (percent ? 1 : 0)));
    if (!number || *number > (percent ? 100 : largest)) return false;
    if (percent ? result.percent.has_value() : result.octets.has_value()) return false;
    if (percent)
        result.percent = static_cast<unsigned>(*number);
    else
        result.octets = *number;
    return true;
}

// The smaller of what stands there; 0 if nothing does.
std::uint64_t smaller(std::optional<std::uint64_t> a, std::optional<std::uint64_t> b) {
    return std::min(a.value_or(b.value_or(0)), b.value_or(a.value_or(0)));
}

std::optional<std::uint64_t> part_of(std::uint64_t all, std::optional<unsigned> percent) {
    if (!percent) return std::nullopt;
    return all / 100 * *percent;
}

}  // namespace

std::optional<FreeSpace> parse_free_space(std::string_view line) {
    FreeSpace result;
    std::size_t words = 0;
    for (const std::string_view word : split(line, ' ')) {
        if (word.empty()) continue;
        ++words;
        if (!take_word(word, result)) return std::nullopt;
    }
    if (words == 0) return std::nullopt;
    return result;
}

bool is_below(const FreeSpace& floor, const struct statvfs& disk, unsigned part) {
    const std::uint64_t block = std::max<std::uint64_t>(disk.f_frsize, 1);
    const std::uint64_t octets = smaller(floor.octets, part_of(disk.f_blocks * block, floor.percent));
    if (disk.f_bavail < octets / part / block) return true;
    // Some file systems have as many inodes as there is room for, and count none.
    if (disk.f_files == 0) return false;
    std::optional<std::uint64_t> inodes;
    if (floor.octets) inodes = *floor.octets / octets_of_inode;
    return disk.f_favail < smaller(inodes, part_of(disk.f_files, floor.percent)) / part;
}

DiskFloor::DiskFloor(const control::Home& home)
    : line_(home, [home] { return control::read<"queueminfree">(home); }) {}

bool DiskFloor::reached(int directory, bool bounce) {
    try {
        const std::string& line = line_.get();
        if (line_.version() != version_) {
            version_ = line_.version();
            const auto floor = parse_free_space(line);
            if (!floor) log_line("warning: control/queueminfree cannot be used, there is no floor: " + line);
            floor_ = floor.value_or(FreeSpace{});
        }
        struct statvfs disk {};
        if (!floor_.octets && !floor_.percent) return false;
        if (::fstatvfs(directory, &disk) != 0) throw_errno("ask for the free space of", "the queue");
        return is_below(floor_, disk, bounce ? 4 : 1);
    } catch (const Error& error) {
        log_line(std::string("warning: ") + error.what());
        return false;
    }
}

}  // namespace relais::queue
