#include <algorithm>
#include <map>
#include <set>

#include "base/error.h"
#include "base/printable.h"
#include "base/program.h"
#include "base/text.h"
#include "base/time.h"
#include "console/lookups.h"
#include "trace/life.h"
#include "trace/traffic.h"

namespace relais::console {
namespace {

constexpr unsigned deepest = 4;
constexpr std::size_t events_shown = 2000;
constexpr std::uint64_t a_day = 86'400'000'000;
// "2026-11-30 13:00:00.123  " stands before the words.
constexpr std::size_t time_width = 25;

// The events of the newest messages, or refusals, of the last day. More: there were others.
std::vector<trace::Record> newest(const control::Home& home, char kind, std::size_t most, bool& more) {
    std::vector<trace::Record> all;
    const std::uint64_t since = now_microseconds() - a_day;
    auto files = trace::files_of(home.path("trace"), kind);
    std::reverse(files.begin(), files.end());
    std::size_t found = 0;
    for (const std::string& path : files) {
        try {
            trace::Database file(path, trace::Database::Mode::read);
            const auto ids = file.all(since, INT64_MAX, most - found + 1);
            more = more || ids.size() > most - found;
            for (const std::uint64_t id : ids) {
                if (found == most) break;
                ++found;
                for (trace::Record& record : file.events(id)) all.push_back(std::move(record));
            }
        } catch (const Error& error) {
            log_line("warning: left out: " + path + ": " + error.what());
        }
    }
    return all;
}

std::uint64_t size_of(std::uint64_t count) {
    return count;
}
std::uint64_t size_of(const trace::Deliveries& deliveries) {
    return deliveries.all();
}
std::uint64_t size_of(const trace::Sent& sent) {
    return sent.messages;
}

template <class Counts>
std::vector<typename Counts::const_iterator> largest_first(const Counts& counts, std::size_t most) {
    std::vector<typename Counts::const_iterator> order;
    for (auto at = counts.begin(); at != counts.end(); ++at) order.push_back(at);
    std::stable_sort(order.begin(), order.end(),
                     [](auto a, auto b) { return size_of(b->second) < size_of(a->second); });
    if (order.size() > most) order.resize(most);
    return order;
}

std::string shown(const trace::Record& record, std::string_view field) {
    return printable(record.field(field));
}

void add_life(Rows& rows, trace::Archive& archive, std::uint64_t id, unsigned depth,
              std::set<std::uint64_t>& seen) {
    if (!seen.insert(id).second) return;
    std::vector<std::uint64_t> children;
    for (const trace::Record& event : archive.events(id)) {
        for (const std::uint64_t child : trace::children_of(event)) children.push_back(child);
        const std::string line = trace::line_of(event);
        if (line.size() < time_width || rows.size() >= events_shown) continue;
        std::string kind = event.kind;
        if (kind == "delivery") kind += " " + std::string(event.field("result"));
        rows.push_back({"event", std::to_string(depth), std::to_string(id), std::to_string(event.time),
                        printable(kind), line.substr(time_width)});
    }
    if (depth < deepest)
        for (const std::uint64_t child : children) add_life(rows, archive, child, depth + 1, seen);
}

Fields row_of(const char* kind, const std::string& name, const trace::Sent& sent) {
    return {kind,
            name,
            std::to_string(sent.messages),
            std::to_string(sent.recipients),
            std::to_string(sent.octets),
            std::to_string(sent.clients.size()),
            std::to_string(sent.last)};
}

}  // namespace

Rows life_rows(const control::Home& home, const std::string& id) {
    trace::Archive archive(home.path("trace"));
    Rows rows;
    std::set<std::uint64_t> seen;
    add_life(rows, archive, parse_number(id).value_or(0), 0, seen);
    if (rows.empty()) rows.push_back({"none"});
    return rows;
}

Rows refusal_rows(const control::Home& home, const Fields& arguments, const LookLimits& limits) {
    bool more = false;
    std::map<std::string, std::uint64_t> causes, clients;
    Rows refusals;
    std::size_t count = 0;
    for (const trace::Record& record : newest(home, 'r', limits.remembered, more)) {
        const std::string client = shown(record, "ip");
        const std::string cause = shown(record, record.kind == "suspect" ? "why" : "cause");
        if ((!arguments[0].empty() && client != arguments[0]) ||
            (!arguments[1].empty() && cause != arguments[1]))
            continue;
        ++count;
        ++causes[cause];
        ++clients[client];
        if (refusals.size() < limits.shown)
            refusals.push_back({"refusal", std::to_string(record.time), std::to_string(record.time), client,
                                cause, shown(record, "sender"), shown(record, "rcpt"), shown(record, "reply"),
                                shown(record, "why"), record.kind});
    }
    Rows rows = {{"total", std::to_string(count), more ? "cut" : ""}};
    for (const auto at : largest_first(causes, limits.groups))
        rows.push_back({"cause", at->first, std::to_string(at->second)});
    for (const auto at : largest_first(clients, limits.groups))
        rows.push_back({"client", at->first, std::to_string(at->second)});
    rows.insert(rows.end(), refusals.begin(), refusals.end());
    return rows;
}

Rows destination_rows(const control::Home& home, const LookLimits& limits) {
    bool more = false;
    trace::Traffic traffic;
    for (const trace::Record& record : newest(home, 'm', limits.remembered, more)) traffic.add(record);
    Rows rows = {{"total", std::to_string(traffic.deliveries), more ? "cut" : ""}};
    for (const auto at : largest_first(traffic.destinations, limits.groups)) {
        const trace::Deliveries& all = at->second;
        rows.push_back({"destination", at->first, std::to_string(all.success), std::to_string(all.deferral),
                        std::to_string(all.failure), std::to_string(all.average()),
                        std::to_string(all.slowest), all.trouble});
    }
    return rows;
}

Rows people_rows(const control::Home& home, const LookLimits& limits) {
    bool more = false;
    trace::Traffic traffic;
    for (const trace::Record& record : newest(home, 'm', limits.remembered, more)) traffic.add(record);
    std::map<std::string, std::uint64_t> wrong;
    for (const trace::Record& record : newest(home, 'r', limits.remembered, more))
        if (record.field("cause") == "login") ++wrong[shown(record, "ip")];
    Rows rows = {{"total", std::to_string(traffic.accepted), more ? "cut" : ""}};
    for (const auto at : largest_first(traffic.logins, limits.groups))
        rows.push_back(row_of("person", at->first, at->second));
    for (const auto at : largest_first(traffic.strangers, limits.groups))
        rows.push_back(row_of("stranger", at->first, at->second));
    for (const auto at : largest_first(wrong, limits.groups))
        rows.push_back({"login", at->first, std::to_string(at->second)});
    return rows;
}

}  // namespace relais::console
