// Clients that wait at a listening socket of an event loop.
#pragma once

#include <sys/socket.h>

#include <utility>

#include "base/fd.h"

namespace relais {

// One socket keeps the loop no longer than this many clients; epoll tells of the rest again.
inline constexpr int accepts_at_once = 64;

// Takes the clients that wait at a non-blocking socket, close-on-exec and non-blocking, while has_room() says
// so. False when it said no.
template <class HasRoom, class Take>
bool accept_waiting(int listening, HasRoom has_room, Take take) {
    for (int i = 0; i < accepts_at_once; ++i) {
        if (!has_room()) return false;
        Fd client(::accept4(listening, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!client) return true;
        take(std::move(client));
    }
    return true;
}

}  // namespace relais
