// What is remembered of messages, found and told.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "trace/store.h"

namespace relais::trace {

// All files together, read while qmail-traced writes.
class Archive {
  public:
    // What cannot be read is left out, and named by wrong().
    explicit Archive(const std::string& directory);

    std::vector<Record> events(std::uint64_t msg);
    struct Search {
        std::string from{};  // an address, or @domain; "" is any
        std::string to{};
        std::uint64_t since = 0;  // microseconds
        std::size_t most = 20;
    };
    // Ids of messages and refusals, the newest of them, oldest first.
    std::vector<std::uint64_t> find(const Search& search);
    std::size_t forget(const std::string& address);
    const std::vector<std::string>& wrong() const { return wrong_; }

  private:
    std::vector<std::unique_ptr<Database>> files_;
    std::vector<std::string> wrong_;
};

// One event as a line of text, its time in UTC; "" if there is nothing to say.
std::string line_of(const Record& record);
Json json_of(const Record& record);
// Ids of messages that came out of this event: a bounce, a forward.
std::vector<std::uint64_t> children_of(const Record& record);
// Whether it says why something was refused, or might have been.
bool is_evidence(const Record& record);

// "today", "yesterday", "2h" (s, m, h, d), "2026-11-30", "2026-11-30T13:00": microseconds, UTC. Nothing for
// anything else.
std::optional<std::uint64_t> parse_since(std::string_view text, std::uint64_t now);

}  // namespace relais::trace
