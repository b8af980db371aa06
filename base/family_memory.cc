#include "base/family_memory.h"

#include <sys/auxv.h>
#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/page_move.h"

namespace relais {
namespace {

constexpr std::size_t alignment = 16;

// What a block begins with, 8 octets before its content. The mark says that it is in use or given back, and whose it is.
struct Head {
    std::uint8_t kind;   // its class
    std::uint8_t store;  // which one's
    std::uint16_t generation;
    std::uint32_t mark;
};
static_assert(sizeof(Head) == 8);
constexpr std::uint8_t of_malloc = 0xff;

enum class Use : std::uint32_t { taken = 0x5c3a96e1, given_back = 0xa3c5691e };

// Up to here there is a class for each multiple of the alignment; above, four for each doubling. Sizes are those of whole blocks.
constexpr std::size_t fine_limit = 512;
constexpr std::size_t fine = fine_limit / alignment;

constexpr std::size_t class_of(std::size_t size) {
    if (size <= fine_limit) return (size + alignment - 1) / alignment - 1;
    const auto doubling = static_cast<std::size_t>(std::bit_width(size - 1)) - 10;
    const std::size_t begin = fine_limit << doubling;
    return fine + 4 * doubling + (size - 1 - begin) / (begin / 4);
}

constexpr std::size_t size_of(std::size_t kind) {
    if (kind < fine) return (kind + 1) * alignment;
    const std::size_t begin = fine_limit << (kind - fine) / 4;
    return begin + ((kind - fine) % 4 + 1) * (begin / 4);
}

static_assert(class_of(16) == 0 && class_of(512) == 31 && class_of(513) == 32 && class_of(640) == 32);
static_assert(size_of(class_of(641)) == 768 && size_of(class_of(1025)) == 1280);

// What a class takes at a time, so that its blocks lie together.
constexpr std::size_t span = 4096;
constexpr std::size_t region_size = std::size_t{1} << 20;
constexpr std::size_t huge_region_size = huge_page_size;

// Of this process: how many of its ancestors forked it as a child of a family.
constinit std::uint16_t current_generation = 0;

// What marks are mixed with: 4 of the 16 random octets that the kernel gives to each program.
std::uint32_t secret() {
    static const std::uint32_t value = [] {
        std::uint32_t found = 0;
        const auto* const random = reinterpret_cast<const char*>(::getauxval(AT_RANDOM));
        if (random != nullptr) std::memcpy(&found, random + 8, sizeof found);
        return found | 1;
    }();
    return value;
}

Head* head_of(void* block) {
    return static_cast<Head*>(block) - 1;
}

std::uint32_t mark(const Head* head, Use use) {
    const auto address = static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(head) >> 3);
    const std::uint32_t what =
        std::uint32_t{head->generation} << 16 | std::uint32_t{head->store} << 8 | head->kind;
    return (address ^ what ^ static_cast<std::uint32_t>(use)) * secret();
}

void set(Head* head, std::uint8_t kind, std::uint8_t store, std::uint16_t generation) {
    *head = {kind, store, generation, 0};
    head->mark = mark(head, Use::taken);
}

// Whoever wrote beyond a block's end may have meant to.
Head* checked_head_of(void* block) {
    Head* const head = head_of(block);
    if (head->mark != mark(head, Use::taken)) std::abort();
    return head;
}

std::uintptr_t map(std::size_t size) {
    void* const fresh = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return fresh == MAP_FAILED ? 0 : reinterpret_cast<std::uintptr_t>(fresh);
}

void unmap(std::uintptr_t begin, std::uintptr_t end) {
    if (end > begin) ::munmap(reinterpret_cast<void*>(begin), end - begin);
}

// Where a huge page can be. What the kernel refuses is small pages.
std::uintptr_t map_huge() {
    const std::uintptr_t begin = map(2 * huge_region_size);
    if (begin == 0) return 0;
    const std::uintptr_t found = (begin + huge_region_size - 1) / huge_region_size * huge_region_size;
    unmap(begin, found);
    unmap(found + huge_region_size, begin + 2 * huge_region_size);
    ::madvise(reinterpret_cast<void*>(found), huge_region_size, MADV_HUGEPAGE);
    return found;
}

void* allocate_large(std::size_t size, std::uint8_t store) {
    if (size > SIZE_MAX - alignment) return nullptr;
    char* const raw = static_cast<char*>(std::malloc(size + alignment));
    if (raw == nullptr) return nullptr;
    set(head_of(raw + alignment), of_malloc, store, 0);
    return raw + alignment;
}

void* resize_large(void* block, std::size_t size) {
    if (size > SIZE_MAX - alignment) return nullptr;
    const std::uint8_t store = head_of(block)->store;
    void* const raw = std::realloc(static_cast<char*>(block) - alignment, size + alignment);
    if (raw == nullptr) return nullptr;
    char* const moved = static_cast<char*>(raw) + alignment;
    set(head_of(moved), of_malloc, store, 0);
    return moved;
}

void release_large(void* block, Head* head) {
    head->mark = mark(head, Use::given_back);
    std::free(static_cast<char*>(block) - alignment);
}

}  // namespace

// On one page, for each that a child writes to is copied.
alignas(4096) constinit FamilyMemory passing_memory{1, FamilyMemory::Order::of_time,
                                                    FamilyMemory::Pages::small};
constinit FamilyMemory openssl_memory{2, FamilyMemory::Order::of_size, FamilyMemory::Pages::huge};
constinit FamilyMemory lasting_memory{3, FamilyMemory::Order::of_time, FamilyMemory::Pages::huge};
constinit bool Lasting::is_wanted = false;

void FamilyMemory::begin_child() noexcept {
    ++current_generation;
}

void FamilyMemory::begin_generation() {
    generation_ = current_generation;
    region_ = {};
    free_ = {};
}

bool FamilyMemory::find_region() {
    const bool is_huge = pages_ == Pages::huge && generation_ == 0;
    const std::size_t size = is_huge ? huge_region_size : region_size;
    region_.begin = is_huge ? map_huge() : map(size);
    region_.end = region_.begin == 0 ? 0 : region_.begin + size;
    return region_.begin != 0;
}

// 0 if there is no memory. What does not fit what is left of a region leaves that unused.
std::uintptr_t FamilyMemory::take(std::size_t size, bool from_the_end) {
    for (int attempt = 0; attempt < 2; ++attempt) {
        const std::uintptr_t first =
            (region_.begin + sizeof(Head) + alignment - 1) / alignment * alignment - sizeof(Head);
        const std::uintptr_t last =
            (region_.end - size - sizeof(Head)) / alignment * alignment + sizeof(Head);
        if (region_.begin != 0 && first + size <= region_.end && first <= last) {
            (from_the_end ? region_.end : region_.begin) = from_the_end ? last : first + size;
            return from_the_end ? last : first;
        }
        if (!find_region()) break;
    }
    return 0;
}

// Spans come from the beginning of a region and what is larger from its end.
std::uintptr_t FamilyMemory::find_block(std::size_t kind) {
    static_assert(fine == fine_classes && class_of(largest_block + sizeof(Head)) + 1 == classes);
    const std::size_t size = size_of(kind);
    if (generation_ > 0 || order_ == Order::of_time) return take(size, false);
    if (kind >= fine) return take(size, true);
    Room& room = spans_[kind];
    if (room.end - room.begin < size) {
        const std::uintptr_t begin = take(span, false);
        if (begin == 0) return 0;
        room = {begin, begin + span};
    }
    return std::exchange(room.begin, room.begin + size);
}

bool FamilyMemory::owns(const void* block) const noexcept {
    const auto* const head = static_cast<const Head*>(block) - 1;
    return head->store == number_;
}

void* FamilyMemory::allocate(std::size_t size) noexcept {
    if (size == 0) return nullptr;
    if (size > largest_block) return allocate_large(size, number_);
    if (generation_ != current_generation) begin_generation();
    const std::size_t kind = class_of(size + sizeof(Head));
    Free* const found = free_[kind];
    if (found == nullptr) {
        const std::uintptr_t block = find_block(kind);
        if (block == 0) return nullptr;
        Head* const head = reinterpret_cast<Head*>(block);
        set(head, static_cast<std::uint8_t>(kind), number_, generation_);
        return head + 1;
    }
    Head* const head = head_of(found);
    if (head->mark != mark(head, Use::given_back)) std::abort();
    free_[kind] = found->next;
    head->mark = mark(head, Use::taken);
    return found;
}

void FamilyMemory::release(void* block) noexcept {
    if (block == nullptr) return;
    Head* const head = checked_head_of(block);
    if (head->kind == of_malloc) return release_large(block, head);
    // What is the parent's stays as it is, shared: to note that it is free would copy its page.
    if (head->generation != current_generation) return;
    head->mark = mark(head, Use::given_back);
    auto* const free = static_cast<Free*>(block);
    free->next = free_[head->kind];
    free_[head->kind] = free;
}

void* FamilyMemory::resize(void* block, std::size_t size) noexcept {
    if (block == nullptr) return allocate(size);
    if (size == 0) {
        release(block);
        return nullptr;
    }
    const Head* const head = checked_head_of(block);
    const bool is_large = head->kind == of_malloc;
    if (is_large && size > largest_block) return resize_large(block, size);
    // Of a large block no more than this is wanted here.
    const std::size_t room = is_large ? largest_block : size_of(head->kind) - sizeof(Head);
    if (!is_large && size <= room) return block;
    void* const moved = allocate(size);
    if (moved == nullptr) return nullptr;
    std::memcpy(moved, block, std::min(size, room));
    release(block);
    return moved;
}

}  // namespace relais
