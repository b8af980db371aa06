// What qmail-countd knows: counters of the last while, and marks of what was seen. Bounded: what was used
// longest ago makes room, and what is new pushes out nothing that has passed or is held. Pure; the caller
// says what time it is.
#pragma once

#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "counts/protocol.h"

namespace relais::counts {

struct MemoryLimits {
    std::size_t counters = 100'000;
    std::size_t fresh = 100'000;   // marks that have not passed yet
    std::size_t passed = 100'000;  // and that have
    std::size_t held = 10'000;
};

class Memory {
  public:
    using Time = std::int64_t;  // unix seconds

    explicit Memory(MemoryLimits limits = {}) : limits_(limits) {}

    // protocol.h says what these do.
    Verdict count(const std::vector<Count>& counts, Time now);
    std::uint32_t mark(const Mark& mark, Time now);
    std::uint32_t seen(const Mark& mark, Time now) const;
    std::string list(std::string_view beginning, Time now) const;
    // What is held goes by release alone.
    std::uint32_t forget(std::string_view beginning);
    // Of the full counter of a hard budget alone: its login.
    bool hold(const Count& used_up, Time now);
    bool is_held(std::string_view key) const { return find(Kind::held, key) != nullptr; }
    bool release(const std::string& key);

    std::size_t size() const { return index_.size(); }
    // A line for each entry, but for what is held, and whether there is anything new since saved().
    std::string save() const;
    bool changed() const { return changed_; }
    void saved() { changed_ = false; }
    // The same of what is held.
    std::string save_held() const;
    bool held_changed() const { return held_changed_; }
    void held_saved() { held_changed_ = false; }
    // What these have made; lines that make no sense are left out.
    void load(std::string_view text);

  private:
    enum class Kind : char { counter = 'C', fresh = 'F', passed = 'P', held = 'H' };
    struct Entry {
        Kind kind;
        std::string key;
        Time first = 0;         // counter: when its window began; mark: when it was first seen; held: since
        Time last = 0;          // counter: the length of its window; mark: when it was last seen
        std::uint64_t now = 0;  // counter: in this window; mark: its patience
        std::uint64_t before = 0;  // counter: in the one before; mark: its lifetime
    };
    using Entries = std::list<Entry>;  // what was used last first

    Entries& of(Kind kind);
    std::size_t limit_of(Kind kind) const;
    static std::string index_key(Kind kind, std::string_view key);
    const Entry* find(Kind kind, std::string_view key) const;
    // What is in no list yet goes to the front of its own.
    Entry& use(Kind kind, const std::string& key);
    void erase(Entries::iterator place);
    void note_change(Kind kind) { (kind == Kind::held ? held_changed_ : changed_) = true; }
    static std::string lines_of(const Entries& entries);
    static bool is_over(const Entry& mark, Time now);
    static void turn(Entry& counter, Time now);
    static std::uint64_t estimate(const Entry& counter, Time now);
    static std::uint32_t wait_for_room(const Entry& counter, const Count& count, Time now);

    MemoryLimits limits_;
    Entries counters_;
    Entries fresh_;
    Entries passed_;
    Entries held_;
    std::unordered_map<std::string, Entries::iterator> index_;  // by kind of thing and key
    bool changed_ = false;
    bool held_changed_ = false;
};

}  // namespace relais::counts
