#include "listen/proxy_room.h"

#include <sys/socket.h>

#include <array>
#include <utility>

#include "base/error.h"

namespace relais::listen {

void ProxyRoom::add(Fd connection, const net::Endpoint& proxy, std::chrono::milliseconds patience) {
    const int socket = connection.get();
    waiting_.push_back({std::move(connection), proxy, {}, 0});
    const Place place = std::prev(waiting_.end());
    try {
        loop_.add(socket, EPOLLIN | EPOLLRDHUP, [this, place](std::uint32_t) { look(place); });
    } catch (...) {
        waiting_.erase(place);
        throw;
    }
    place->timer = loop_.after(patience, [this, place] { refuse(place, "no PROXY header came in time"); });
}

// Looked at first, and then taken: what follows the header is the client's.
void ProxyRoom::look(Place place) {
    std::array<char, 512> buffer;
    const int socket = place->connection.get();
    while (place->header.state() == ProxyHeader::State::open) {
        const ssize_t seen = ::recv(socket, buffer.data(), buffer.size(), MSG_PEEK | MSG_DONTWAIT);
        if (seen < 0 && (errno == EAGAIN || errno == EINTR)) return;
        // A check of health that only connects.
        if (seen <= 0) {
            take(place);
            return;
        }
        const std::size_t used = place->header.feed({buffer.data(), static_cast<std::size_t>(seen)});
        if (::recv(socket, buffer.data(), used, MSG_DONTWAIT) != static_cast<ssize_t>(used))
            return refuse(place, "the PROXY header cannot be read");
    }
    if (place->header.state() == ProxyHeader::State::wrong) return refuse(place, "there is no PROXY header");
    Waiting waiting = take(place);
    introduced_({std::move(waiting.connection), waiting.proxy, waiting.header.connection()});
}

void ProxyRoom::refuse(Place place, std::string_view what) {
    const Waiting waiting = take(place);
    wrong_(waiting.proxy, what);
}

ProxyRoom::Waiting ProxyRoom::take(Place place) {
    loop_.remove(place->connection.get());
    loop_.cancel(place->timer);
    Waiting waiting = std::move(*place);
    waiting_.erase(place);
    return waiting;
}

}  // namespace relais::listen
