#include "queue/ledger.h"

#include <sys/mman.h>

#include <algorithm>
#include <new>

#include "base/error.h"
#include "base/time.h"

namespace relais::queue {
namespace {

constexpr MessageId none = UINT64_MAX;
using SharedId = std::atomic<MessageId>;
static_assert(SharedId::is_always_lock_free, "shared between processes");

}  // namespace

// A cache line each: the workers write their own all the time.
struct alignas(64) Ledger::Slot {
    // No id given to this slot's current message is below floor; none when at rest. It is set before the id
    // is drawn, so that checkpoint() never overlooks an id between its birth and its appearance here.
    SharedId floor = none;
    SharedId id = 0;
    std::atomic<bool> created = false;
};

struct alignas(64) Ledger::Shared {
    SharedId last = 0;
    SharedId left_behind = none;
};

Ledger::Ledger(std::size_t slots, MessageId last)
    : slots_(slots), size_(sizeof(Shared) + slots * sizeof(Slot)) {
    void* memory = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw_errno("share", "memory");
    shared_ = new (memory) Shared;
    slot_ = new (static_cast<char*>(memory) + sizeof(Shared)) Slot[slots];
    shared_->last = last;
}

Ledger::~Ledger() {
    ::munmap(shared_, size_);
}

MessageId Ledger::begin(std::size_t slot) {
    Slot& mine = slot_[slot];
    MessageId last = shared_->last;
    mine.created = false;
    mine.floor = last + 1;
    MessageId id = 0;
    do {
        id = std::max(now_microseconds(), last + 1);
    } while (!shared_->last.compare_exchange_weak(last, id));
    mine.id = id;
    return id;
}

void Ledger::created(std::size_t slot) {
    slot_[slot].created = true;
}

void Ledger::done(std::size_t slot) {
    Slot& mine = slot_[slot];
    mine.id = 0;
    mine.created = false;
    mine.floor = none;
}

void Ledger::leave_behind(MessageId id) {
    MessageId lowest = shared_->left_behind;
    while (id < lowest && !shared_->left_behind.compare_exchange_weak(lowest, id)) {
    }
}

Ledger::Unfinished Ledger::unfinished(std::size_t slot) const {
    return {slot_[slot].id, slot_[slot].created};
}

MessageId Ledger::checkpoint() const {
    // The last id first: whoever draws a later one does not matter, whoever drew an earlier one shows in its
    // slot.
    MessageId lowest = shared_->last + 1;
    for (std::size_t i = 0; i < slots_; ++i) lowest = std::min<MessageId>(lowest, slot_[i].floor);
    return std::min<MessageId>(lowest, shared_->left_behind);
}

}  // namespace relais::queue
