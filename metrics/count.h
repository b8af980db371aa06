// Counting: one atomic addition to the page of the process's role, without a lock or a system call. A process
// that dies loses nothing that it has counted. Where a process has no page (a tool, an instance without
// metrics/, a disk without room) it counts for nobody, and goes on.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string_view>

#include "control/home.h"
#include "control/owners.h"
#include "metrics/table.h"

namespace relais::metrics {

// Opens metrics/ROLE/page, and makes it if there is none. To be called once, as the role, before the process
// confines itself; children share the page. Never throws: without a page nothing is counted.
void open_page(const control::Home& home, control::Role role) noexcept;

namespace detail {

struct OpenPage {
    control::Role role;
    std::atomic<std::uint64_t>* slots;  // null: nothing is counted
};
extern OpenPage page;

consteval std::size_t row_of(std::string_view key, Kind kind) {
    for (std::size_t row = 0; row < rows::table.size(); ++row)
        if (rows::table[row].key == key && rows::table[row].kind == kind) return row;
    throw "metrics/table.h has no such row";
}

// The slot of that number within the row; null where nothing is counted.
inline std::atomic<std::uint64_t>* slot(std::size_t row, std::size_t number) {
    const Metric& metric = rows::table[row];
    if (page.slots == nullptr || page.role != metric.role) return nullptr;
    return page.slots + metric.slot + number;
}

inline void add(std::size_t row, std::size_t number, std::uint64_t by) {
    if (auto* counted = slot(row, number)) counted->fetch_add(by, std::memory_order_relaxed);
}

}  // namespace detail

// A row of the table by its key; one without a row does not compile.
template <Kind kind>
struct Key {
    // NOLINTNEXTLINE(google-explicit-constructor): count("smtp.messages") is how it is meant
    consteval Key(const char* key) : row(detail::row_of(key, kind)) {}
    std::size_t row;
};

inline void count(Key<Kind::counter> key, std::uint64_t by = 1) {
    detail::add(key.row, 0, by);
}
// By the value of its label.
inline void count(Key<Kind::counter> key, std::string_view value, std::uint64_t by = 1) {
    detail::add(key.row, slot_of_value(rows::table[key.row], value), by);
}
inline void set(Key<Kind::gauge> key, std::uint64_t value) {
    if (auto* slot = detail::slot(key.row, 0)) slot->store(value, std::memory_order_relaxed);
}
inline void set(Key<Kind::gauge> key, std::string_view label, std::uint64_t value) {
    if (auto* slot = detail::slot(key.row, slot_of_value(rows::table[key.row], label)))
        slot->store(value, std::memory_order_relaxed);
}
// value: in the row's unit.
void observe(Key<Kind::histogram> key, std::uint64_t value);

}  // namespace relais::metrics
