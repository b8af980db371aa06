// OpenSSL's memory in a process that forks for each client.
#pragma once

#include <cstddef>

namespace relais::tls {

// From now on OpenSSL's blocks of one size lie together, and what a child asks for lies together in pages of its own. Nearly every object
// of OpenSSL has a count of its users inside, which a handshake changes: with malloc(3) they are spread over as many pages, and
// a child copies each of them. False, and all stays as it is, if OpenSSL has asked for memory before. No thread may run beside.
bool use_family_memory();

// In the child, before it uses OpenSSL: what its parent has given back or gives room to stays untouched.
void begin_family_child() noexcept;

namespace family {

// The allocator itself: as malloc(3), realloc(3) and free(3) are, aligned to 16 octets. Blocks above largest_block are malloc(3)'s.
inline constexpr std::size_t largest_block = 32768;
void* allocate(std::size_t size) noexcept;
void* resize(void* block, std::size_t size) noexcept;
void release(void* block) noexcept;

}  // namespace family
}  // namespace relais::tls
