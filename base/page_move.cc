#include "base/page_move.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "base/file.h"

namespace relais {
namespace {

#ifdef RELAIS_SANITIZED
constexpr bool sanitized = true;
#else
constexpr bool sanitized = false;
#endif

char* pointer(std::uintptr_t address) {
    return reinterpret_cast<char*>(address);
}

// Octets of this process on huge pages; 0 where it cannot be told.
std::uint64_t huge_memory() {
    static constexpr std::string_view key = "AnonHugePages:";
    static constexpr std::size_t file_limit = 65536;
    const std::string text = read_file("/proc/self/smaps_rollup", file_limit).value_or("");
    const std::size_t at = text.find(key);
    if (at == std::string::npos) return 0;
    return std::strtoull(text.c_str() + at + key.size(), nullptr, 10) * 1024;
}

// MADV_POPULATE_WRITE fails where memory is short, instead of a signal at the first write.
bool populate(char* memory, std::size_t size, HugePages huge) {
    if (huge != HugePages::required) {
        if (huge == HugePages::wanted) ::madvise(memory, size, MADV_HUGEPAGE);
        return ::madvise(memory, size, MADV_POPULATE_WRITE) == 0;
    }
    const std::uint64_t before = huge_memory();
    return ::madvise(memory, size, MADV_HUGEPAGE) == 0 && ::madvise(memory, size, MADV_POPULATE_WRITE) == 0 &&
           huge_memory() >= before + size;
}

}  // namespace

bool replace_pages(const PageMove& move) {
    // A sanitizer's own memory must stay where it is, and between variables there is what may not be read.
    if (sanitized) return false;
    const std::size_t size = move.end - move.begin;
    const std::uintptr_t spare = move.huge == HugePages::none ? 0 : huge_page_size;
    void* const room =
        ::mmap(nullptr, size + spare, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED) return false;
    const auto begin = reinterpret_cast<std::uintptr_t>(room);
    const std::uintptr_t aligned = spare == 0 ? begin : (begin + huge_page_size - 1) & ~(huge_page_size - 1);
    char* const copy = pointer(aligned);
    bool moved = populate(copy, size, move.huge);
    if (moved) {
        std::memcpy(copy + (move.used_begin - move.begin), pointer(move.used_begin),
                    move.used_end - move.used_begin);
        moved = ::mprotect(copy, size, move.protection) == 0 &&
                ::mremap(copy, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, pointer(move.begin)) != MAP_FAILED;
    }
    if (!moved) {
        ::munmap(room, size + spare);
        return false;
    }
    if (aligned > begin) ::munmap(room, aligned - begin);
    if (begin + spare > aligned) ::munmap(pointer(aligned + size), begin + spare - aligned);
    return true;
}

}  // namespace relais
