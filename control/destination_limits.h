// control/destinationlimits: how much of our mail a destination may get at a time. A line is
//
//   domain:connections:messages:rate
//
// domain is a whole name, ".suffix" for everything below it, or empty for every domain; the most specific
// line counts, alone. connections: deliveries at once at most. messages: of one connection at most. rate:
// messages a second at most, with a fraction if need be (0.2 is one in five seconds). A field that is empty,
// missing or 0 says nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "control/home.h"

namespace relais::control {

struct DestinationLimit {
    std::uint32_t connections = 0;  // 0, here and below: no limit
    std::uint32_t messages = 0;
    std::uint32_t per_thousand_seconds = 0;  // the rate
    friend bool operator==(const DestinationLimit&, const DestinationLimit&) = default;
};

// The limits after the domain of a line; nothing if a field is no number, or there are too many.
std::optional<DestinationLimit> parse_destination_limit(std::string_view fields);

// Of two limits, what keeps both.
DestinationLimit stricter(const DestinationLimit& a, const DestinationLimit& b);

class DestinationLimits {
  public:
    DestinationLimits() = default;
    // Lines that make no sense do not count; qmail-showctl tells of them.
    explicit DestinationLimits(const std::vector<std::string>& lines);
    // From control/. Throws Error.
    static DestinationLimits read(const Home& home);

    // Of a domain, compared without case.
    DestinationLimit match(std::string_view domain) const;

  private:
    std::unordered_map<std::string, DestinationLimit> limits_;
};

}  // namespace relais::control
