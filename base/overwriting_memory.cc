#include "base/overwriting_memory.h"

#include <malloc.h>
#include <string.h>

#include <algorithm>
#include <cstdlib>

namespace relais {

void* allocate_memory(std::size_t size) noexcept {
    return std::malloc(size);
}

// realloc(3) would leave what it moves where it was.
void* resize_memory(void* block, std::size_t size) noexcept {
    if (block == nullptr) return allocate_memory(size);
    if (size == 0) {
        release_memory(block);
        return nullptr;
    }
    void* const larger = std::malloc(size);
    if (larger == nullptr) return nullptr;
    ::memcpy(larger, block, std::min(size, ::malloc_usable_size(block)));
    release_memory(block);
    return larger;
}

void release_memory(void* block) noexcept {
    if (block == nullptr) return;
    ::explicit_bzero(block, ::malloc_usable_size(block));
    std::free(block);
}

}  // namespace relais
