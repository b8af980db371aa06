// Memory that is overwritten when it is given back: for a process that serves one stranger after the other.
// A program is linked with base/overwriting_new.cc, whose new and delete use it.
#pragma once

#include <cstddef>

namespace relais {

// As malloc(3), realloc(3) and free(3).
void* allocate_memory(std::size_t size) noexcept;
void* resize_memory(void* block, std::size_t size) noexcept;
void release_memory(void* block) noexcept;

}  // namespace relais
