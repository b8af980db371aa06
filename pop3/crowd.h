// Who else is connected to a POP3 server, by the kernel's table of connections: tcpserver, under which it
// runs, counts all its clients together, so that one address could have every place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "control/home.h"

namespace relais::pop3 {

// What instances' servers take at once (tcpserver -c).
inline constexpr std::size_t places = 100;

struct Crowd {
    std::size_t all = 0;
    std::size_t neighbours = 0;  // of the client's neighbourhood (listen/places.h), itself included

    bool operator==(const Crowd&) const = default;
};

// Connections to that local port. table: as /proc/net/tcp and /proc/net/tcp6 have it; lines that are none are
// passed over.
Crowd count_connections(std::string_view table, std::uint16_t port, std::string_view ip);

// The same for the client and the port of $TCPREMOTEIP and $TCPLOCALPORT. A table that cannot be read is
// empty.
Crowd crowd_around_client();

// How many of one neighbourhood may be here: $PERIP, or control/perip; N% is of all the places. 0: no limit,
// as for the front ends of control/authtrusted. Throws Error.
std::size_t limit_of_one(const control::Home& home, std::string_view ip, std::size_t all = places);

}  // namespace relais::pop3
