#include "remote/shared_memory.h"

#include <openssl/evp.h>
#include <sys/mman.h>

#include <array>
#include <atomic>
#include <cstring>
#include <functional>

namespace relais::remote {
namespace {

constexpr std::size_t session_slots = 256;
constexpr std::size_t slow_slots = 512;
constexpr std::size_t session_words = 1024;  // 8 KiB: a ticket and a server's certificate
constexpr std::int64_t session_lifetime = 3600;
constexpr std::int64_t slow_lifetime = 600;
// A writer is done within microseconds; one that has not is dead.
constexpr std::int64_t writer_patience = 10;

using Word = std::atomic<std::uint64_t>;
using Key = std::array<std::uint64_t, 4>;
static_assert(Word::is_always_lock_free);

// Written by one at a time: the version is odd meanwhile. Readers that saw it change have read nothing.
struct Slot {
    Word version;
    Word writer_began;
    Word time;
    Word size;
    std::array<Word, 4> key;
    std::array<Word, session_words> data;
};

std::optional<Key> digest(std::string_view text) {
    Key key{};
    if (EVP_Digest(text.data(), text.size(), reinterpret_cast<unsigned char*>(key.data()), nullptr,
                   EVP_sha256(), nullptr) != 1)
        return std::nullopt;
    return key;
}

// The version of a slot that is now ours to write; nothing if another is writing.
std::optional<std::uint64_t> begin_writing(Slot& slot, std::int64_t now) {
    std::uint64_t version = slot.version.load(std::memory_order_acquire);
    const bool stale =
        static_cast<std::int64_t>(slot.writer_began.load(std::memory_order_relaxed)) + writer_patience < now;
    if (version % 2 == 1 && !stale) return std::nullopt;
    const std::uint64_t odd = version + (version % 2 == 1 ? 2 : 1);
    if (!slot.version.compare_exchange_strong(version, odd, std::memory_order_acq_rel)) return std::nullopt;
    slot.writer_began.store(static_cast<std::uint64_t>(now), std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_release);
    return odd;
}

std::uint64_t slow_entry(std::string_view address, std::int64_t now) {
    return static_cast<std::uint64_t>(std::hash<std::string_view>()(address)) << 32 |
           (static_cast<std::uint64_t>(now) & 0xffffffffU);
}

}  // namespace

struct SharedMemory::Table {
    std::array<Slot, session_slots> sessions;
    std::array<Word, slow_slots> slow;
};

// The kernel's zeros are the table's beginning.
SharedMemory::SharedMemory() {
    void* const memory = ::mmap(nullptr, sizeof(Table), PROT_READ | PROT_WRITE,
                                MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return;
    ::madvise(memory, sizeof(Table), MADV_DONTDUMP);
    table_ = static_cast<Table*>(memory);
}

SharedMemory::~SharedMemory() {
    if (table_ != nullptr) ::munmap(table_, sizeof(Table));
}

std::span<char> SharedMemory::octets() {
    if (table_ == nullptr) return {};
    return {reinterpret_cast<char*>(table_), sizeof(Table)};
}

void SharedMemory::put_session(std::string_view key, std::string_view session, std::int64_t now) {
    const auto wanted = digest(key);
    if (table_ == nullptr || !wanted || session.size() > session_words * sizeof(std::uint64_t)) return;
    Slot& slot = table_->sessions[(*wanted)[0] % session_slots];
    const auto version = begin_writing(slot, now);
    if (!version) return;
    for (std::size_t i = 0; i < wanted->size(); ++i)
        slot.key[i].store((*wanted)[i], std::memory_order_relaxed);
    slot.time.store(static_cast<std::uint64_t>(now), std::memory_order_relaxed);
    slot.size.store(session.size(), std::memory_order_relaxed);
    for (std::size_t at = 0; at < session.size(); at += sizeof(std::uint64_t)) {
        std::uint64_t word = 0;
        const std::string_view piece = session.substr(at, sizeof word);
        std::memcpy(&word, piece.data(), piece.size());
        slot.data[at / sizeof word].store(word, std::memory_order_relaxed);
    }
    slot.version.store(*version + 1, std::memory_order_release);
}

std::optional<std::string> SharedMemory::session(std::string_view key, std::int64_t now) const {
    const auto wanted = digest(key);
    if (table_ == nullptr || !wanted) return std::nullopt;
    const Slot& slot = table_->sessions[(*wanted)[0] % session_slots];
    const std::uint64_t version = slot.version.load(std::memory_order_acquire);
    if (version == 0 || version % 2 == 1) return std::nullopt;
    for (std::size_t i = 0; i < wanted->size(); ++i)
        if (slot.key[i].load(std::memory_order_relaxed) != (*wanted)[i]) return std::nullopt;
    const auto age = now - static_cast<std::int64_t>(slot.time.load(std::memory_order_relaxed));
    const std::uint64_t size = slot.size.load(std::memory_order_relaxed);
    if (age < 0 || age > session_lifetime || size > session_words * sizeof(std::uint64_t))
        return std::nullopt;
    std::string session(size, '\0');
    for (std::size_t at = 0; at < size; at += sizeof(std::uint64_t)) {
        const std::uint64_t word = slot.data[at / sizeof(std::uint64_t)].load(std::memory_order_relaxed);
        std::memcpy(session.data() + at, &word, std::min<std::size_t>(sizeof word, size - at));
    }
    std::atomic_thread_fence(std::memory_order_acquire);
    if (slot.version.load(std::memory_order_relaxed) != version) return std::nullopt;
    return session;
}

void SharedMemory::note_slow(std::string_view address, std::int64_t now) {
    if (table_ == nullptr) return;
    const std::uint64_t entry = slow_entry(address, now);
    table_->slow[(entry >> 32) % slow_slots].store(entry, std::memory_order_relaxed);
}

bool SharedMemory::is_slow(std::string_view address, std::int64_t now) const {
    if (table_ == nullptr) return false;
    const std::uint64_t wanted = slow_entry(address, now);
    const std::uint64_t entry = table_->slow[(wanted >> 32) % slow_slots].load(std::memory_order_relaxed);
    if (entry == 0 || entry >> 32 != wanted >> 32) return false;
    const std::int64_t age = now - static_cast<std::int64_t>(entry & 0xffffffffU);
    return age >= 0 && age <= slow_lifetime;
}

}  // namespace relais::remote
