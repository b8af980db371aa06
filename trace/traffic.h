// What remembered events add up to: how destinations took their mail, and who has sent how much.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "trace/protocol.h"

namespace relais::trace {

struct Deliveries {
    std::uint64_t success = 0, deferral = 0, failure = 0;
    std::uint64_t milliseconds = 0, slowest = 0, timed = 0;
    std::string trouble{};           // in words, the last one
    std::uint64_t trouble_time = 0;  // microseconds

    std::uint64_t all() const { return success + deferral + failure; }
    // Milliseconds; 0 if none was timed.
    std::uint64_t average() const { return timed == 0 ? 0 : milliseconds / timed; }
};

struct Sent {
    std::uint64_t messages = 0, recipients = 0, octets = 0;
    std::uint64_t last = 0;           // microseconds
    std::set<std::string> clients{};  // addresses, most_clients of them

    static constexpr std::size_t most_clients = 1000;
};

// Names are printable. Where there are more than most of a kind, the rest counts as one.
class Traffic {
  public:
    static constexpr std::size_t most = 50'000;
    static constexpr std::string_view here = "(local)";
    static constexpr std::string_view others = "(others)";

    // The events of a message in their order.
    void add(const Record& record);

    std::map<std::string, Deliveries> destinations{};  // by domain; local ones as here
    std::map<std::string, Sent> logins{};
    std::map<std::string, Sent> strangers{};  // clients without a login, by address
    std::uint64_t deliveries = 0;
    std::uint64_t accepted = 0;  // messages

  private:
    void add_delivery(const Record& record);
    void add_message(const Record& record);

    std::map<std::uint64_t, std::string> open_;  // deliveries under way, and where they go
};

}  // namespace relais::trace
