// Every message that qmail-send knows of, in 16 octets each, and the order in which the waiting ones are due.
// A million messages take some 50 MB.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "queue/store.h"

namespace relais::send {

// Where a known message is.
enum class Place : std::uint8_t {
    fresh,      // never tried, in the line of new mail
    due,        // in the heap; when: the second it is due
    parked,     // waits for its destination; when: the destination's number
    active,     // in the window
    held,       // until somebody releases it
    damaged,    // left alone
    elsewhere,  // all its open recipients are under way at a retired spawner
    later,      // not before the time that its sender asked for
};

class KnownMessages {
  public:
    using MessageId = queue::MessageId;

    struct Entry {
        MessageId id = 0;        // 0: a free slot
        std::uint32_t when = 0;  // seconds on the monotonic clock, or see Place
        // Of the one remote destination of all its open recipients, as far as that is known; 0: it must be
        // read to tell.
        std::uint32_t destination : 25 = 0;
        Place place : 3 = Place::fresh;
        bool verified : 1 = false;  // its checksum has been compared, or it came with a hint
        bool hinted : 1 = false;    // qmail-queued said that it is whole
        bool forced : 1 = false;    // to be tried even if its destination is in back-off
        bool warned : 1 = false;    // no warning of a delay is owed any more

        // At the destination of that number (send/parking.h).
        void park_at(std::uint32_t number) {
            place = Place::parked;
            when = number;
        }
        bool is_parked_at(std::uint32_t number) const { return place == Place::parked && when == number; }
    };
    static constexpr std::uint32_t last_destination = (std::uint32_t{1} << 25) - 1;
    static_assert(sizeof(Entry) == 16);

    // Adds a message in line of new mail. False if it is known already. The reference that find returns dies
    // with it.
    bool insert(MessageId id);
    Entry* find(MessageId id);
    void erase(MessageId id);
    std::size_t size() const { return count_; }

    // Puts a known message into the heap. O(log n).
    void schedule(Entry& entry, std::uint32_t when);
    // Takes the first message that is due by now out of the heap (its place is still due).
    std::optional<MessageId> take_due(std::uint32_t now);
    // When the next one is due.
    std::optional<std::uint32_t> next_due();
    // Everything that waits in the heap or is parked is due at that second. O(n).
    void schedule_all(std::uint32_t when);
    // Gives each message in the heap a new second: what of(id, when) says. O(n).
    void reschedule(const std::function<std::uint32_t(MessageId, std::uint32_t)>& of);
    std::size_t count(Place place) const;
    // Those that are there. O(n).
    std::vector<MessageId> ids(Place place) const;
    // The same for each place, in their order. O(n).
    std::array<std::size_t, 8> counts() const;

  private:
    // 12 octets: the id in two halves.
    struct Due {
        std::uint32_t when, high, low;
        MessageId id() const { return MessageId{high} << 32 | low; }
        friend bool operator>(const Due& a, const Due& b) { return a.when > b.when; }
    };

    std::size_t slot_of(MessageId id) const;
    void grow();
    void drop_stale_top();
    void rebuild_heap();

    std::vector<Entry> slots_;
    std::size_t count_ = 0;
    // Entries are not taken out of the middle: one whose message has moved on is stale, and skipped.
    std::vector<Due> heap_;
};

}  // namespace relais::send
