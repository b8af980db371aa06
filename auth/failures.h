// How often logins from an address have failed lately, and what that costs.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/deadline.h"

namespace relais::auth {

// What counts as one client: an IPv4 address, or the /64 of an IPv6 address, whose owner has all of it. Text that is no
// address stays as it is.
std::string client_of(std::string_view address);

class Failures {
  public:
    // A client is forgotten that long after its last failure. At most `limit` are kept; the oldest go first.
    explicit Failures(std::chrono::seconds memory = std::chrono::minutes(10), std::size_t limit = 65536)
        : memory_(memory), limit_(limit) {}

    // Returns how many there have been with this one.
    unsigned add(const std::string& client, Clock::time_point now);
    unsigned count(const std::string& client, Clock::time_point now) const;
    std::size_t size() const { return clients_.size(); }

  private:
    struct Record {
        unsigned count = 0;
        Clock::time_point last;
    };
    void make_room(Clock::time_point now);

    std::chrono::seconds memory_;
    std::size_t limit_;
    std::unordered_map<std::string, Record> clients_;
};

// How long the answer to the n-th failure is held back: 1, 2, 4, 8 and at most 16 seconds.
std::chrono::seconds failure_delay(unsigned count);
// From this many failures on, the logins of a client are looked at one after the other, each after the answer before it: many
// connections guess no faster than one.
inline constexpr unsigned one_at_a_time_from = 3;

}  // namespace relais::auth
