// Memory of a process that forks for each client, so that a child touches few of its parent's pages.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace relais {

// A store of blocks as malloc(3), realloc(3) and free(3) have one, aligned to 16 octets. But a child takes nothing from what its
// parent gave back or had room for: its blocks lie together in pages of its own, and what it gives back of its parent's
// stays as it is. With malloc(3) a child that fills its parent's holes copies a page for each.
//
// A store for what lasts is on huge pages, where the kernel has them: a fork copies one entry for each, where small pages are copied
// and given up one by one. The parent writes to it only when what it holds changes.
//
// Nothing is returned to the kernel. A block that is given back twice, or whose head was overwritten, ends the process (SIGABRT).
// No thread may run beside.
class FamilyMemory {
  public:
    // How the parent's blocks lie: as they were asked for, or those of one size together. The second is for objects of few kinds, of
    // which a child changes some of each: OpenSSL's count their users.
    enum class Order { of_time, of_size };
    enum class Pages { small, huge };

    // Blocks above are malloc(3)'s.
    static constexpr std::size_t largest_block = 131072;

    // Each block says by this number which store has made it.
    constexpr FamilyMemory(std::uint8_t number, Order order, Pages pages)
        : number_(number), order_(order), pages_(pages) {}
    FamilyMemory(const FamilyMemory&) = delete;
    FamilyMemory& operator=(const FamilyMemory&) = delete;

    // nullptr for want of memory, or for 0 octets.
    void* allocate(std::size_t size) noexcept;
    // Blocks of this store only.
    void* resize(void* block, std::size_t size) noexcept;
    void release(void* block) noexcept;
    // Whether this store has made it, for blocks of one of them.
    bool owns(const void* block) const noexcept;

    // In the child, before it does much else; for all stores.
    static void begin_child() noexcept;

  private:
    static constexpr std::size_t classes = 65;
    static constexpr std::size_t fine_classes = 32;
    struct Room {
        std::uintptr_t begin = 0;
        std::uintptr_t end = 0;
    };
    struct Free {
        Free* next;
    };

    void begin_generation();
    bool find_region();
    std::uintptr_t take(std::size_t size, bool from_the_end);
    std::uintptr_t find_block(std::size_t kind);

    // What a child writes to comes first.
    std::uint16_t generation_ = 0;
    const std::uint8_t number_;
    const Order order_;
    const Pages pages_;
    Room region_;
    std::array<Free*, classes> free_{};
    std::array<Room, fine_classes> spans_{};
};

// What new and delete are where they are ours (smtpd/family_new.cc), and OpenSSL's memory (tls::use_family_memory).
extern FamilyMemory passing_memory;
extern FamilyMemory lasting_memory;
extern FamilyMemory openssl_memory;

// What new makes meanwhile is to last. For what the parent reads and its children use, such as control files.
class Lasting {
  public:
    Lasting() : before_(is_wanted) { is_wanted = true; }
    ~Lasting() { is_wanted = before_; }
    Lasting(const Lasting&) = delete;
    Lasting& operator=(const Lasting&) = delete;

    static bool is_wanted;

  private:
    bool before_;
};

}  // namespace relais
