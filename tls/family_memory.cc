#include "tls/family_memory.h"

#include <openssl/crypto.h>
#include <sys/mman.h>

#include <array>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace relais::tls {
namespace family {
namespace {

constexpr std::size_t alignment = 16;
// What a block begins with. The block is at an odd multiple of 8, its content at a multiple of 16.
struct Head {
    std::uint16_t kind;        // its class; of_malloc for one of malloc(3)
    std::uint16_t generation;  // who made it
    std::uint32_t unused;
};
static_assert(sizeof(Head) == 8);
constexpr std::uint16_t of_malloc = 0xffff;

// Up to here a class for each multiple of the alignment; above, four for each doubling.
constexpr std::size_t fine_limit = 512;
constexpr std::size_t fine_classes = fine_limit / alignment;
constexpr std::size_t classes = fine_classes + 4 * 6 + 1;

// The sizes of blocks, head included.
constexpr std::size_t class_of(std::size_t whole) {
    if (whole <= fine_limit) return (whole + alignment - 1) / alignment - 1;
    const auto doubling = static_cast<std::size_t>(std::bit_width(whole - 1)) - 10;
    const std::size_t quarter = std::size_t{128} << doubling;
    return fine_classes + 4 * doubling + (whole - 1 - (std::size_t{512} << doubling)) / quarter;
}

constexpr std::size_t size_of(std::size_t kind) {
    if (kind < fine_classes) return (kind + 1) * alignment;
    const std::size_t doubling = (kind - fine_classes) / 4;
    return (std::size_t{512} << doubling) + ((kind - fine_classes) % 4 + 1) * (std::size_t{128} << doubling);
}
static_assert(class_of(16) == 0 && class_of(512) == 31 && class_of(513) == 32 && class_of(640) == 32);
static_assert(size_of(class_of(641)) == 768 && size_of(class_of(1025)) == 1280);
static_assert(class_of(largest_block + sizeof(Head)) == classes - 1);

// In the parent a class takes so much at a time, so that its blocks lie together; a child puts them one behind the other as they come.
constexpr std::size_t span = 4096;
constexpr std::size_t region_size = 262144;

struct Room {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
};

struct Free {
    Free* next;
};

// What a child writes to.
struct alignas(1024) State {
    std::uint16_t generation = 0;
    Room blocks;
    std::array<Free*, classes> free{};
};
static_assert(sizeof(State) == 1024);
State state;

// The parent's only: what its spans come from, and what is left of the last one of each class.
struct Spans {
    Room all;
    std::array<Room, fine_classes> each{};
};
Spans spans;

std::uintptr_t align(std::uintptr_t address) {
    return (address + sizeof(Head) + alignment - 1) / alignment * alignment - sizeof(Head);
}

// 0 if there is no memory.
std::uintptr_t carve(Room& room, std::size_t size) {
    const std::uintptr_t begin = align(room.begin);
    if (begin + size > room.end || room.begin == 0) return 0;
    room.begin = begin + size;
    return begin;
}

std::uintptr_t carve_or_map(Room& room, std::size_t size) {
    if (const std::uintptr_t begin = carve(room, size); begin != 0) return begin;
    void* const fresh =
        ::mmap(nullptr, region_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (fresh == MAP_FAILED) return 0;
    room.begin = reinterpret_cast<std::uintptr_t>(fresh);
    room.end = room.begin + region_size;
    return carve(room, size);
}

std::uintptr_t find_block(std::size_t kind) {
    const std::size_t size = size_of(kind);
    if (state.generation > 0 || size > fine_limit) return carve_or_map(state.blocks, size);
    Room& room = spans.each[kind];
    if (const std::uintptr_t block = carve(room, size); block != 0) return block;
    room.begin = carve_or_map(spans.all, span);
    if (room.begin == 0) return 0;
    room.end = room.begin + span;
    return carve(room, size);
}

Head* head_of(void* block) {
    return static_cast<Head*>(block) - 1;
}

void* allocate_large(std::size_t size) {
    if (size > SIZE_MAX - alignment) return nullptr;
    char* const raw = static_cast<char*>(std::malloc(size + alignment));
    if (raw == nullptr) return nullptr;
    *head_of(raw + alignment) = {of_malloc, 0, 0};
    return raw + alignment;
}

}  // namespace

void* allocate(std::size_t size) noexcept {
    if (size == 0) return nullptr;
    if (size > largest_block) return allocate_large(size);
    const std::size_t kind = class_of(size + sizeof(Head));
    if (Free* const found = state.free[kind]; found != nullptr) {
        state.free[kind] = found->next;
        return found;
    }
    const std::uintptr_t block = find_block(kind);
    if (block == 0) return nullptr;
    Head* const head = reinterpret_cast<Head*>(block);
    *head = {static_cast<std::uint16_t>(kind), state.generation, 0};
    return head + 1;
}

void release(void* block) noexcept {
    if (block == nullptr) return;
    const Head head = *head_of(block);
    if (head.kind == of_malloc) return std::free(static_cast<char*>(block) - alignment);
    // What is the parent's stays as it is, shared: to note that it is free would copy its page.
    if (head.generation != state.generation) return;
    auto* const free = static_cast<Free*>(block);
    free->next = state.free[head.kind];
    state.free[head.kind] = free;
}

void* resize(void* block, std::size_t size) noexcept {
    if (block == nullptr) return allocate(size);
    if (size == 0) {
        release(block);
        return nullptr;
    }
    const Head head = *head_of(block);
    if (head.kind == of_malloc && size > largest_block) {
        char* const raw = static_cast<char*>(block) - alignment;
        if (size > SIZE_MAX - alignment) return nullptr;
        char* const moved = static_cast<char*>(std::realloc(raw, size + alignment));
        return moved == nullptr ? nullptr : moved + alignment;
    }
    const std::size_t room = head.kind == of_malloc ? largest_block : size_of(head.kind) - sizeof(Head);
    if (head.kind != of_malloc && size <= room) return block;
    void* const moved = allocate(size);
    if (moved == nullptr) return nullptr;
    std::memcpy(moved, block, size < room ? size : room);
    release(block);
    return moved;
}

}  // namespace family

bool use_family_memory() {
#ifdef RELAIS_SANITIZED
    return false;  // the sanitizer would take for lost what only these blocks point to
#else
    return CRYPTO_set_mem_functions(
               [](std::size_t size, const char*, int) { return family::allocate(size); },
               [](void* block, std::size_t size, const char*, int) { return family::resize(block, size); },
               [](void* block, const char*, int) { family::release(block); }) == 1;
#endif
}

void begin_family_child() noexcept {
    family::state.blocks = {};
    family::state.free = {};
    ++family::state.generation;
}

}  // namespace relais::tls
