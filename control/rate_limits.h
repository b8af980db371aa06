// control/ratelimits: how much strangers and logins may send in a while. A line is
//
//   WHAT of WHOM NUMBER/SPAN
//
//   messages   of network  100/1h
//   recipients of login    500/1d
//   refused    of network  50/10m
//   recipients of login    5000/1d hold
//
// WHAT: messages, recipients, or refused recipients. WHOM: network, strangers from one IPv4 /24 or IPv6 /56;
// login, one account; domain, all senders of a domain, where they are known to be genuine. SPAN: seconds, or
// minutes, hours, days with m, h, d behind. Every line counts. hold: a login that goes beyond is held until
// an administrator releases it, as somebody else may have its password. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relais::control {

struct RateLimit {
    enum class What { messages, recipients, refused };
    enum class Whom { network, login, domain };
    What what;
    Whom whom;
    std::uint32_t number;
    std::uint32_t seconds;
    bool holds = false;
    friend bool operator==(const RateLimit&, const RateLimit&) = default;
};

// Nothing for a line that makes no sense; qmail-showctl tells of it.
std::optional<RateLimit> parse_rate_limit(std::string_view line);
// The lines of the file that make sense, comments taken out.
std::vector<RateLimit> parse_rate_limits(const std::vector<std::string>& lines);

std::string_view to_text(RateLimit::What what);
std::string_view to_text(RateLimit::Whom whom);

}  // namespace relais::control
