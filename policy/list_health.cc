#include "policy/list_health.h"

#include <sys/mman.h>

#include <array>
#include <atomic>
#include <new>

namespace relais::policy {

struct ListHealth::Slot {
    std::atomic<std::uint64_t> zone;  // its hash; 0: free
    std::atomic<std::int64_t> until;
    std::atomic<std::uint32_t> silent;
};

struct ListHealth::Table {
    std::array<Slot, 64> slots;
};

namespace {

// FNV-1a; never 0.
std::uint64_t hash_of(std::string_view text) {
    std::uint64_t value = 14695981039346656037ULL;
    for (const char c : text) value = (value ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
    return value | 1;
}

}  // namespace

ListHealth::ListHealth() {
    void* memory = ::mmap(nullptr, sizeof(Table), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory != MAP_FAILED) table_ = new (memory) Table{};
}

ListHealth::~ListHealth() {
    if (table_ != nullptr) ::munmap(table_, sizeof(Table));
}

ListHealth::Slot* ListHealth::slot(std::string_view zone) const {
    if (table_ == nullptr) return nullptr;
    const std::uint64_t hash = hash_of(zone);
    for (std::size_t i = 0; i < table_->slots.size(); ++i) {
        Slot& each = table_->slots[(hash + i) % table_->slots.size()];
        std::uint64_t free = 0;
        if (each.zone.load() == hash || each.zone.compare_exchange_strong(free, hash) || free == hash)
            return &each;
    }
    return nullptr;
}

bool ListHealth::rests(std::string_view zone, std::int64_t now) const {
    const Slot* const place = slot(zone);
    return place != nullptr && place->until.load() > now;
}

void ListHealth::note_answer(std::string_view zone) {
    if (Slot* const place = slot(zone)) place->silent = 0;
}

bool ListHealth::note_silence(std::string_view zone, std::int64_t now) {
    Slot* const place = slot(zone);
    if (place == nullptr || ++place->silent < silences) return false;
    place->until = now + rest;
    return true;
}

void ListHealth::note_lie(std::string_view zone, std::int64_t now) {
    if (Slot* const place = slot(zone)) place->until = now + rest;
}

}  // namespace relais::policy
