// The program's new and delete: see base/family_memory.h. What the standard library makes of them (arrays, nothrow) comes here too; what
// wants a larger alignment does not.
#include <new>

#include "base/family_memory.h"

void* operator new(std::size_t size) {
    auto& store = relais::Lasting::is_wanted ? relais::lasting_memory : relais::passing_memory;
    void* const block = store.allocate(size == 0 ? 1 : size);
    if (block == nullptr) throw std::bad_alloc();
    return block;
}

void operator delete(void* block) noexcept {
    if (block == nullptr) return;
    auto& store = relais::lasting_memory.owns(block) ? relais::lasting_memory : relais::passing_memory;
    store.release(block);
}

void operator delete(void* block, std::size_t) noexcept {
    operator delete(block);
}
