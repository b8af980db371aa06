#include "listen/waiting_room.h"

#include <poll.h>
#include <sys/ioctl.h>

#include <utility>

namespace relais::listen {
namespace {

bool has_unread(int connection) {
    int count = 0;
    return ::ioctl(connection, FIONREAD, &count) == 0 && count > 0;
}

// Asked anew: the event may be that of a descriptor which was closed since, and had this one's number.
bool has_ended(int connection) {
    pollfd state{connection, POLLRDHUP, 0};
    return ::poll(&state, 1, 0) == 1;
}

}  // namespace

void WaitingRoom::add(Client client, std::chrono::milliseconds patience) {
    const int connection = client.connection.get();
    clients_.push_back({std::move(client), Clock::now(), 0});
    const Place place = std::prev(clients_.end());
    try {
        loop_.add(connection, EPOLLIN | EPOLLRDHUP, [this, place](std::uint32_t) { look(place); });
    } catch (...) {
        clients_.erase(place);
        throw;
    }
    place->timer = loop_.after(patience, [this, place] { silent_(take(place)); });
}

// Those who came first are the first in the list.
void WaitingRoom::shorten(std::chrono::milliseconds patience) {
    const auto latest = Clock::now() - patience;
    while (!clients_.empty() && clients_.front().since <= latest) silent_(take(clients_.begin()));
}

WaitingRoom::Client WaitingRoom::take_any() {
    return take(clients_.begin());
}

void WaitingRoom::look(Place place) {
    const int connection = place->client.connection.get();
    if (has_unread(connection)) return speaks_(take(place));
    if (has_ended(connection)) left_(take(place));
}

WaitingRoom::Client WaitingRoom::take(Place place) {
    loop_.remove(place->client.connection.get());
    loop_.cancel(place->timer);
    Client client = std::move(place->client);
    clients_.erase(place);
    return client;
}

}  // namespace relais::listen
