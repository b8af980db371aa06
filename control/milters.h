// control/milters: programs that look at mail from the network while it comes (milters), asked in the order
// of their lines. A line is a place, and words behind it:
//
//   inet:8891@127.0.0.1   accept
//   unix:/run/clamav/milter.sock  tempfail connect=5 reply=120
//   [2001:db8::1]:11332
//
// Places: inet:PORT@HOST, inet6:PORT@HOST, unix:PATH (or local:PATH), HOST:PORT. Words: what becomes of mail
// while the milter is gone or hangs (accept, tempfail, reject), and how many seconds it has to connect and
// for each reply. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relais::control {

struct Milter {
    enum class WhenGone { tempfail, accept, reject };

    std::string name;  // its place, as the line has it
    std::string path;  // of a unix socket; else empty
    std::string host;  // an address or a name
    std::uint16_t port = 0;
    bool v6_only = false;  // inet6
    WhenGone when_gone = WhenGone::tempfail;
    std::chrono::seconds connect{10};
    std::chrono::seconds reply{60};
};

// So many lines count.
inline constexpr std::size_t milters_limit = 16;

// Nothing for a line that makes no sense; qmail-showctl tells of it.
std::optional<Milter> parse_milter(std::string_view line);
// Of each line its milter. One that makes no sense, or comes after milters_limit others, has neither path nor
// host: nobody can find it, so that mail waits and does not pass unseen.
std::vector<Milter> parse_milters(const std::vector<std::string>& lines);
// What is wrong with a line; "" if nothing is.
std::string milter_fault(std::string_view line);

}  // namespace relais::control
