// What a network server says to qmail-send for a client that has said ETRN (RFC 1985): what waits for a
// domain is to be tried now. One packet on the packet socket "turn" (mode 0600: qmaild) is one domain;
// nothing is answered. qmail-send believes no more than that: only domains of control/etrn count, each once
// a minute.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "control/home.h"

namespace relais::send {

inline constexpr std::string_view turn_socket = "turn";
inline constexpr std::size_t turn_domain_limit = 255;
// Between two turns of a domain.
inline constexpr Seconds turn_pause{60};

// Throws Error: ENOENT, ECONNREFUSED when no qmail-send listens, EAGAIN when it has more to do.
void ask_for_turn(const control::Home& home, std::string_view domain, Deadline deadline);

}  // namespace relais::send
