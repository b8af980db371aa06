#include "counts/memory.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "base/text.h"

namespace relais::counts {
namespace {

// A list for people goes no further.
constexpr std::size_t list_limit = 5000;

std::uint32_t seconds(std::int64_t time) {
    return static_cast<std::uint32_t>(std::clamp<std::int64_t>(time, 0, UINT32_MAX));
}

}  // namespace

Memory::Entries& Memory::of(Kind kind) {
    switch (kind) {
        case Kind::counter:
            return counters_;
        case Kind::fresh:
            return fresh_;
        case Kind::held:
            return held_;
        default:
            return passed_;
    }
}

std::size_t Memory::limit_of(Kind kind) const {
    switch (kind) {
        case Kind::counter:
            return limits_.counters;
        case Kind::fresh:
            return limits_.fresh;
        case Kind::held:
            return limits_.held;
        default:
            return limits_.passed;
    }
}

// Counters, marks and what is held have keys of their own.
std::string Memory::index_key(Kind kind, std::string_view key) {
    return std::string(1, kind == Kind::counter ? 'C' : kind == Kind::held ? 'H' : 'M').append(key);
}

const Memory::Entry* Memory::find(Kind kind, std::string_view key) const {
    const auto found = index_.find(index_key(kind, key));
    return found == index_.end() ? nullptr : &*found->second;
}

Memory::Entry& Memory::use(Kind kind, const std::string& key) {
    note_change(kind);
    const std::string name = index_key(kind, key);
    const auto found = index_.find(name);
    if (found != index_.end()) {
        Entries& entries = of(found->second->kind);
        entries.splice(entries.begin(), entries, found->second);
        return entries.front();
    }
    Entries& entries = of(kind);
    if (entries.size() >= limit_of(kind)) erase(std::prev(entries.end()));
    entries.push_front({kind, key});
    index_[name] = entries.begin();
    return entries.front();
}

void Memory::erase(Entries::iterator place) {
    note_change(place->kind);
    index_.erase(index_key(place->kind, place->key));
    of(place->kind).erase(place);
}

// Brings its window up to now. What is of a time to come was written under another clock.
void Memory::turn(Entry& counter, Time now) {
    const Time window = std::max<Time>(counter.last, 1);
    if (counter.first > now || counter.first + 2 * window <= now) {
        counter.first = now;
        counter.now = counter.before = 0;
    } else if (counter.first + window <= now) {
        counter.first += window;
        counter.before = std::exchange(counter.now, 0);
    }
}

// Of the window before, the part that the last window seconds still touch.
std::uint64_t Memory::estimate(const Entry& counter, Time now) {
    const auto window = static_cast<std::uint64_t>(std::max<Time>(counter.last, 1));
    const auto gone = std::min(window, static_cast<std::uint64_t>(now - counter.first));
    return counter.now + counter.before * (window - gone) / window;
}

std::uint32_t Memory::wait_for_room(const Entry& counter, const Count& count, Time now) {
    const auto has_room = [&](Time later) {
        Entry then = counter;
        turn(then, now + later);
        return estimate(then, now + later) + count.amount <= count.limit;
    };
    if (has_room(0)) return 0;
    Time low = 0;
    Time high = 2 * Time{count.window};
    while (high - low > 1) {
        const Time middle = low + (high - low) / 2;
        (has_room(middle) ? high : low) = middle;
    }
    return seconds(high);
}

Verdict Memory::count(const std::vector<Count>& counts, Time now) {
    Verdict verdict;
    for (std::size_t i = 0; i < counts.size(); ++i) {
        const Entry* known = find(Kind::counter, counts[i].key);
        Entry counter = known != nullptr ? *known : Entry{Kind::counter, counts[i].key};
        if (counter.last != counts[i].window) counter = {Kind::counter, counts[i].key, now, counts[i].window};
        turn(counter, now);
        const std::uint32_t wait = wait_for_room(counter, counts[i], now);
        if (wait > verdict.wait) verdict = {wait, i};
    }
    if (verdict.wait > 0) return verdict;
    for (const Count& count : counts) {
        if (count.amount == 0) continue;
        Entry& counter = use(Kind::counter, count.key);
        if (counter.last != count.window) counter = {Kind::counter, count.key, now, count.window};
        turn(counter, now);
        counter.now += count.amount;
    }
    return verdict;
}

bool Memory::is_over(const Entry& mark, Time now) {
    const auto age = mark.kind == Kind::passed ? now - mark.last : now - mark.first;
    return age < 0 || static_cast<std::uint64_t>(age) >= (mark.kind == Kind::passed ? mark.before : mark.now);
}

std::uint32_t Memory::mark(const Mark& mark, Time now) {
    const auto found = index_.find(index_key(Kind::fresh, mark.key));
    if (found != index_.end() && is_over(*found->second, now)) erase(found->second);
    Entry& entry = use(Kind::fresh, mark.key);
    if (entry.first == 0) entry.first = now;
    entry.last = now;
    entry.now = mark.patience;
    entry.before = mark.lifetime;
    if (entry.kind == Kind::passed) return 0;
    if (now - entry.first < mark.delay) return seconds(mark.delay - (now - entry.first));
    Entry passed = entry;
    erase(fresh_.begin());
    passed.kind = Kind::passed;
    use(Kind::passed, mark.key) = passed;
    return 0;
}

std::uint32_t Memory::seen(const Mark& mark, Time now) const {
    const Entry* entry = find(Kind::fresh, mark.key);
    if (entry == nullptr || is_over(*entry, now)) return std::max<std::uint32_t>(mark.delay, 1);
    if (entry->kind == Kind::passed) return 0;
    return seconds(mark.delay - std::min<Time>(mark.delay, now - entry->first));
}

std::string Memory::list(std::string_view beginning, Time now) const {
    std::string text;
    std::size_t lines = 0;
    for (const Entries* entries : {&held_, &counters_, &fresh_, &passed_})
        for (const Entry& entry : *entries) {
            if (!std::string_view(entry.key).starts_with(beginning) || ++lines > list_limit) continue;
            if (text.size() + key_limit + 100 > answer_limit) return text;
            if (entry.kind == Kind::held) {
                text += fmt::format("{} is held for {} s\n", entry.key, now - entry.first);
                continue;
            }
            if (entry.kind != Kind::counter) {
                text += fmt::format("{} {}, first seen {} s ago, last {} s ago\n", entry.key,
                                    entry.kind == Kind::passed ? "passes" : "waits", now - entry.first,
                                    now - entry.last);
                continue;
            }
            Entry counter = entry;
            turn(counter, now);
            if (const auto count = estimate(counter, now); count > 0)
                text += fmt::format("{} {} in {} s\n", entry.key, count, entry.last);
        }
    return text;
}

std::uint32_t Memory::forget(std::string_view beginning) {
    std::uint32_t count = 0;
    for (Entries* entries : {&counters_, &fresh_, &passed_})
        for (auto place = entries->begin(); place != entries->end();) {
            const auto here = place++;
            if (!std::string_view(here->key).starts_with(beginning)) continue;
            erase(here);
            ++count;
        }
    return count;
}

// Who is held stays: when there is no more room, nobody new is, and a full budget keeps him waiting.
bool Memory::hold(const Count& used_up, Time now) {
    const std::string_view login = login_of_hard_budget(used_up.key);
    const Entry* known = find(Kind::counter, used_up.key);
    if (login.empty() || known == nullptr || known->last != used_up.window) return false;
    Entry counter = *known;
    turn(counter, now);
    // What was counted, not what is to come.
    Count nothing_more = used_up;
    nothing_more.amount = 0;
    if (wait_for_room(counter, nothing_more, now) == 0) return false;
    const std::string key = held_key(login);
    if (is_held(key) || held_.size() >= limits_.held) return false;
    use(Kind::held, key).first = now;
    return true;
}

// With counters that are still full its next message would hold it again.
bool Memory::release(const std::string& key) {
    const auto found = index_.find(index_key(Kind::held, key));
    if (found == index_.end()) return false;
    erase(found->second);
    for (auto place = counters_.begin(); place != counters_.end();) {
        const auto here = place++;
        const std::string_view login = login_of_hard_budget(here->key);
        if (!login.empty() && held_key(login) == key) erase(here);
    }
    return true;
}

// What was used last is the last to be read, and so first again.
std::string Memory::lines_of(const Entries& entries) {
    std::string text;
    for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry)
        text += fmt::format("{} {} {} {} {} {}\n", static_cast<char>(entry->kind), entry->first, entry->last,
                            entry->now, entry->before, entry->key);
    return text;
}

std::string Memory::save() const {
    return lines_of(counters_) + lines_of(fresh_) + lines_of(passed_);
}

std::string Memory::save_held() const {
    return lines_of(held_);
}

void Memory::load(std::string_view text) {
    for (const std::string_view line : split(text, '\n')) {
        const auto words = split(line, ' ');
        if (words.size() != 6 || words[0].size() != 1 || words[5].empty() || words[5].size() > key_limit)
            continue;
        const auto kind = static_cast<Kind>(words[0][0]);
        if (kind != Kind::counter && kind != Kind::fresh && kind != Kind::passed && kind != Kind::held)
            continue;
        std::array<std::uint64_t, 4> numbers{};
        bool good = true;
        for (std::size_t i = 0; i < numbers.size(); ++i) {
            const auto number = parse_number(words[i + 1]);
            good = good && number && *number <= INT32_MAX * std::uint64_t{4};
            numbers[i] = number.value_or(0);
        }
        if (!good || find(kind, words[5]) != nullptr) continue;
        if (kind == Kind::held && held_.size() >= limits_.held) continue;
        Entry& entry = use(kind, std::string(words[5]));
        entry.first = static_cast<Time>(numbers[0]);
        entry.last = static_cast<Time>(numbers[1]);
        entry.now = numbers[2];
        entry.before = numbers[3];
    }
    changed_ = held_changed_ = false;
}

}  // namespace relais::counts
