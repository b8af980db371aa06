#include "send/known_messages.h"

#include <algorithm>
#include <bit>

namespace relais::send {
namespace {
constexpr std::size_t smallest_table = 1024;
}

std::size_t KnownMessages::slot_of(MessageId id) const {
    const int bits = std::countr_zero(slots_.size());
    return static_cast<std::size_t>((id * 0x9e3779b97f4a7c15U) >> (64 - bits));
}

KnownMessages::Entry* KnownMessages::find(MessageId id) {
    if (slots_.empty() || id == 0) return nullptr;
    const std::size_t mask = slots_.size() - 1;
    for (std::size_t i = slot_of(id);; i = (i + 1) & mask) {
        if (slots_[i].id == id) return &slots_[i];
        if (slots_[i].id == 0) return nullptr;
    }
}

bool KnownMessages::insert(MessageId id) {
    if (id == 0 || find(id) != nullptr) return false;
    if ((count_ + 1) * 4 > slots_.size() * 3) grow();
    const std::size_t mask = slots_.size() - 1;
    std::size_t i = slot_of(id);
    while (slots_[i].id != 0) i = (i + 1) & mask;
    slots_[i].id = id;
    ++count_;
    return true;
}

void KnownMessages::erase(MessageId id) {
    Entry* entry = find(id);
    if (entry == nullptr) return;
    --count_;
    // Entries behind the hole that would not be found across it move up (linear probing without tombstones).
    const std::size_t mask = slots_.size() - 1;
    auto hole = static_cast<std::size_t>(entry - slots_.data());
    for (std::size_t i = (hole + 1) & mask; slots_[i].id != 0; i = (i + 1) & mask) {
        const std::size_t home = slot_of(slots_[i].id);
        if (((i - home) & mask) < ((i - hole) & mask)) continue;
        slots_[hole] = slots_[i];
        hole = i;
    }
    slots_[hole] = Entry{};
}

void KnownMessages::grow() {
    std::vector<Entry> old(std::max(smallest_table, slots_.size() * 2));
    old.swap(slots_);
    const std::size_t mask = slots_.size() - 1;
    for (const Entry& entry : old) {
        if (entry.id == 0) continue;
        std::size_t i = slot_of(entry.id);
        while (slots_[i].id != 0) i = (i + 1) & mask;
        slots_[i] = entry;
    }
}

void KnownMessages::schedule(Entry& entry, std::uint32_t when) {
    entry.place = Place::due;
    entry.when = when;
    if (heap_.size() > 2 * count_ + smallest_table) return rebuild_heap();
    heap_.push_back({when, static_cast<std::uint32_t>(entry.id >> 32), static_cast<std::uint32_t>(entry.id)});
    std::push_heap(heap_.begin(), heap_.end(), std::greater<>{});
}

void KnownMessages::drop_stale_top() {
    while (!heap_.empty()) {
        const Entry* entry = find(heap_.front().id());
        if (entry != nullptr && entry->place == Place::due && entry->when == heap_.front().when) return;
        std::pop_heap(heap_.begin(), heap_.end(), std::greater<>{});
        heap_.pop_back();
    }
}

std::optional<KnownMessages::MessageId> KnownMessages::take_due(std::uint32_t now) {
    drop_stale_top();
    if (heap_.empty() || heap_.front().when > now) return std::nullopt;
    const MessageId id = heap_.front().id();
    std::pop_heap(heap_.begin(), heap_.end(), std::greater<>{});
    heap_.pop_back();
    return id;
}

std::optional<std::uint32_t> KnownMessages::next_due() {
    drop_stale_top();
    return heap_.empty() ? std::nullopt : std::optional(heap_.front().when);
}

void KnownMessages::rebuild_heap() {
    heap_.clear();
    for (const Entry& entry : slots_)
        if (entry.id != 0 && entry.place == Place::due)
            heap_.push_back({entry.when, static_cast<std::uint32_t>(entry.id >> 32),
                             static_cast<std::uint32_t>(entry.id)});
    std::make_heap(heap_.begin(), heap_.end(), std::greater<>{});
}

void KnownMessages::schedule_all(std::uint32_t when) {
    for (Entry& entry : slots_) {
        if (entry.id == 0 || (entry.place != Place::due && entry.place != Place::parked)) continue;
        entry.place = Place::due;
        entry.when = when;
    }
    rebuild_heap();
}

void KnownMessages::reschedule(const std::function<std::uint32_t(MessageId, std::uint32_t)>& of) {
    for (Entry& entry : slots_)
        if (entry.id != 0 && entry.place == Place::due) entry.when = of(entry.id, entry.when);
    rebuild_heap();
}

std::vector<KnownMessages::MessageId> KnownMessages::ids(Place place) const {
    std::vector<MessageId> found;
    for (const Entry& entry : slots_)
        if (entry.id != 0 && entry.place == place) found.push_back(entry.id);
    return found;
}

std::size_t KnownMessages::count(Place place) const {
    return static_cast<std::size_t>(std::count_if(slots_.begin(), slots_.end(), [&](const Entry& entry) {
        return entry.id != 0 && entry.place == place;
    }));
}

std::array<std::size_t, 8> KnownMessages::counts() const {
    std::array<std::size_t, 8> counts{};
    for (const Entry& entry : slots_)
        if (entry.id != 0) ++counts.at(static_cast<std::size_t>(entry.place));
    return counts;
}

}  // namespace relais::send
