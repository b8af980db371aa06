// How often logins of somebody have failed lately, and what that costs. Who that is, the caller says: an
// address, a network, an account.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/deadline.h"

namespace relais::auth {

// What counts as one client: an IPv4 address, or the /64 of an IPv6 address, whose owner has all of it. Text
// that is no address stays as it is.
std::string client_of(std::string_view address);
// The /48 of an IPv6 address, "" for everything else: who is given one has 65,536 clients.
std::string site_of(std::string_view address);

class Failures {
  public:
    // A client is forgotten that long after its last failure. At most `limit` are kept; those with the fewest
    // failures go first, of equals the oldest: who fills the table with new clients does not push out one
    // that has failed often.
    explicit Failures(std::chrono::seconds memory = std::chrono::minutes(10), std::size_t limit = 65536)
        : memory_(memory), limit_(limit) {}

    // Returns how many there have been with this one. attempt stands for what was tried; the same as the last
    // time is no new failure. 0 is always a new one.
    unsigned add(const std::string& client, Clock::time_point now, std::uint64_t attempt = 0);
    // The same, but nobody is forgotten for it: 0 if there was no room.
    unsigned add_if_room(const std::string& client, Clock::time_point now);
    unsigned count(const std::string& client, Clock::time_point now) const;
    std::size_t size() const { return clients_.size(); }

  private:
    struct Record {
        unsigned count = 0;
        Clock::time_point last;
        std::uint64_t attempt = 0;
    };
    bool is_over(const Record& record, Clock::time_point now) const { return now - record.last >= memory_; }
    void make_room(Clock::time_point now);

    std::chrono::seconds memory_;
    std::size_t limit_;
    std::unordered_map<std::string, Record> clients_;
};

// How long the answer to the n-th failure is held back: 1, 2, 4, 8 and at most 16 seconds.
std::chrono::seconds failure_delay(unsigned count);

}  // namespace relais::auth
