// Memory that takes the place of other memory of the process, with the same content.
#pragma once

#include <cstdint>

namespace relais {

inline constexpr std::uintptr_t page_size = 4096;
inline constexpr std::uintptr_t huge_page_size = std::uintptr_t{2} << 20;

enum class HugePages { none, wanted, required };

// Pages to be replaced: [begin, end), of which [used_begin, used_end) is copied; the rest is zeros. For huge pages begin and end are
// multiples of their size.
struct PageMove {
    std::uintptr_t begin;
    std::uintptr_t end;
    std::uintptr_t used_begin;
    std::uintptr_t used_end;
    int protection;  // as of mprotect(2), afterwards
    HugePages huge;
};

// False, and all is as it was, where memory is short, the kernel refuses, or huge pages are required and not to be had. Between
// copy and move it writes to nothing but the stack, so that also the memory of the program's variables may be moved.
bool replace_pages(const PageMove& move);

}  // namespace relais
