#include "trace/teller.h"

#include <algorithm>

namespace relais::trace {
namespace {

// A bounce of a bounce of a forward.
constexpr unsigned deepest = 4;

}  // namespace

bool Teller::tell(Archive& archive, std::uint64_t id) {
    reached_.clear();
    return tell(archive, id, 0);
}

bool Teller::tell(Archive& archive, std::uint64_t id, unsigned depth) {
    // What a program of a user's says may name any message, and each name the other.
    const auto [reached, is_new] = reached_.emplace(id, depth);
    if (!is_new && reached->second <= depth) return true;
    reached->second = depth;
    const auto events = archive.events(id);
    // They are not all in the order of their times.
    const auto before = told_.find(id);
    const bool headed = before != told_.end();
    const std::uint64_t told = headed ? before->second : 0;
    std::vector<std::uint64_t> children;
    std::vector<Record> fresh;
    for (const Record& event : events) {
        for (const std::uint64_t child : children_of(event)) children.push_back(child);
        if (event.time <= told || (form_.evidence_alone && !is_evidence(event))) continue;
        told_[id] = std::max(told_[id], event.time);
        fresh.push_back(event);
    }
    if (form_.json)
        print_json(id, depth, fresh);
    else
        print_text(id, depth, fresh, headed);
    if (depth < deepest)
        for (const std::uint64_t child : children)
            if (child != id) tell(archive, child, depth + 1);
    return !events.empty();
}

void Teller::print_text(std::uint64_t id, unsigned depth, const std::vector<Record>& fresh, bool headed) {
    const std::string indent(4 * std::size_t{depth}, ' ');
    for (const Record& event : fresh) {
        const std::string line = line_of(event);
        if (line.empty()) continue;
        if (!headed) print_(indent + (event.kind == "refuse" ? "refusal " : "message ") + std::to_string(id));
        headed = true;
        print_(indent + "  " + line);
    }
}

void Teller::print_json(std::uint64_t id, unsigned depth, const std::vector<Record>& fresh) {
    if (fresh.empty()) return;
    std::vector<Json> list;
    for (const Record& event : fresh) list.push_back(json_of(event));
    Json all = {{"id", id}, {"depth", depth}};
    all["events"] = list;
    print_(all.line());
}

}  // namespace relais::trace
