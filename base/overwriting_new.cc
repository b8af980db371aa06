// A program's new and delete: see base/overwriting_memory.h. What the standard library makes of them
// (arrays, nothrow) comes here too; what wants a larger alignment does not.
#include <new>

#include "base/overwriting_memory.h"

void* operator new(std::size_t size) {
    void* const block = relais::allocate_memory(size == 0 ? 1 : size);
    if (block == nullptr) throw std::bad_alloc();
    return block;
}

void operator delete(void* block) noexcept {
    relais::release_memory(block);
}

void operator delete(void* block, std::size_t) noexcept {
    relais::release_memory(block);
}
