// control/smtproutes: which domains do not go to their MX. A line is
//
//   domain:host[:port][|user|password]
//
// domain is a whole name, ".suffix" for everything below it, or empty for every domain; the most specific one counts.
// host is a name or an address, IPv6 in brackets; empty for "look up the MX as always, but on this port".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace relais::remote {

inline constexpr std::uint16_t smtp_port = 25;

struct Route {
    std::string host;  // empty: by MX; without brackets
    std::uint16_t port = smtp_port;
    bool named = false;  // a line names the domain, by itself or by a suffix
    bool usable = true;  // false: the line that counts has no valid port or host
    std::string line;    // the line that counts, for errors
};

class Routes {
  public:
    Routes() = default;
    explicit Routes(const std::vector<std::string>& lines);
    // The route of a domain (also an address literal), compared without case.
    Route match(std::string_view domain) const;

  private:
    std::unordered_map<std::string, std::string> targets_;
};

}  // namespace relais::remote
