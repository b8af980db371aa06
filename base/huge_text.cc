#include "base/huge_text.h"

#include <link.h>
#include <sys/mman.h>

#include <cstdint>
#include <exception>
#include <vector>

#include "base/page_move.h"

namespace relais {
namespace {

constexpr std::uintptr_t page = page_size;
constexpr std::uintptr_t huge = huge_page_size;

struct Segment {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    std::uint32_t flags = 0;
};

char* pointer(std::uintptr_t address) {
    return reinterpret_cast<char*>(address);
}

std::uintptr_t down(std::uintptr_t address) {
    return address & ~(huge - 1);
}

std::uintptr_t up(std::uintptr_t address) {
    return down(address + huge - 1);
}

// The program's own segments in the order of their addresses; the last one, which is written to, without the part at its
// beginning that is read-only after the start (RELRO), which counts as one more.
std::vector<Segment> segments() {
    std::vector<Segment> found;
    ::dl_iterate_phdr(
        [](dl_phdr_info* info, std::size_t, void* result) {
            auto& all = *static_cast<std::vector<Segment>*>(result);
            for (int i = 0; i < info->dlpi_phnum; ++i) {
                const auto& header = info->dlpi_phdr[i];
                const std::uintptr_t begin = (info->dlpi_addr + header.p_vaddr) & ~(page - 1);
                const std::uintptr_t end = info->dlpi_addr + header.p_vaddr + header.p_memsz;
                if (header.p_type == PT_LOAD) all.push_back({begin, end, header.p_flags});
                if (header.p_type != PT_GNU_RELRO || all.empty() || all.back().begin != begin) continue;
                all.back().begin = end;
                all.insert(all.end() - 1, {begin, end, PF_R});
            }
            return 1;  // the first object is the program
        },
        &found);
    return found;
}

// Whether no other segment has a part of its huge pages.
bool stands_alone(const std::vector<Segment>& all, std::size_t which) {
    return (which == 0 || all[which - 1].end <= down(all[which].begin)) &&
           (which + 1 == all.size() || all[which + 1].begin >= up(all[which].end));
}

// False if something has been mapped there since.
bool reserve(std::uintptr_t begin, std::uintptr_t end) {
    return begin >= end || ::mmap(pointer(begin), end - begin, PROT_NONE,
                                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == pointer(begin);
}

void move(const Segment& segment) {
    const std::uintptr_t place = down(segment.begin);
    const std::size_t size = up(segment.end) - place;
    const std::uintptr_t end = (segment.end + page - 1) & ~(page - 1);
    if (!reserve(place, segment.begin) || !reserve(end, place + size)) return;
    const int protection = (segment.flags & PF_X) != 0 ? PROT_READ | PROT_EXEC : PROT_READ;
    // In small pages the copy would cost each fork more than the file does.
    replace_pages({place, place + size, segment.begin, segment.end, protection, HugePages::required});
}

}  // namespace

void move_text_to_huge_pages() noexcept {
    try {
        const std::vector<Segment> all = segments();
        // The first holds what only the start of the program reads: headers, symbols, relocations.
        for (std::size_t i = 1; i < all.size(); ++i)
            if ((all[i].flags & PF_W) == 0 && stands_alone(all, i)) move(all[i]);
    } catch (const std::exception&) {
        // It was worth a try.
    }
}

}  // namespace relais
