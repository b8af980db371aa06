// Which messages a queue tool is about: by id, age, envelope and state.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "queue/store.h"

namespace relais::queue {

// A message as the tools see it; of a damaged one only the id is known.
struct SeenMessage {
    StoredMessage message;
    bool damaged = false;

    MessageId id() const { return message.id; }
    std::int64_t birth() const { return static_cast<std::int64_t>(message.id / 1'000'000); }
};

// All the states that the message is in, the one that matters most first (queue-list(8) has their meanings):
// damaged, held, bouncing, done, deferred, new, partly.
std::vector<std::string_view> states_of(const SeenMessage& seen);
bool is_state_name(std::string_view name);

// Every condition that is set must hold.
struct Filter {
    std::vector<MessageId> ids;
    std::optional<std::string> sender;     // pattern
    std::optional<std::string> recipient;  // pattern, for any recipient that is not done
    std::optional<std::string> domain;     // of such a recipient; ".example.org" is everything below it
    std::optional<std::chrono::seconds> older;
    std::optional<std::chrono::seconds> newer;
    std::vector<std::string> states;     // any of these
    std::optional<std::string> login{};  // pattern for the account by whose login it came

    bool empty() const;
    bool matches_age(MessageId id, std::int64_t now) const;
    bool matches(const SeenMessage& seen) const;
};
// "90", "90s", "15m", "2h", "3d", "1w"; nothing for anything else.
std::optional<std::chrono::seconds> parse_span(std::string_view text);

// Calls visit for every message that the filter takes, oldest first, until it returns false. A message that
// vanishes meanwhile is left out. Throws Error, for a missing queue one that says so.
void select(const control::Home& home, const Filter& filter,
            const std::function<bool(const SeenMessage&)>& visit);

}  // namespace relais::queue
