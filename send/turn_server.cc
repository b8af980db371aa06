#include "send/turn_server.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "base/accept.h"
#include "base/error.h"
#include "base/idna.h"
#include "base/unix_socket.h"
#include "send/turn_protocol.h"

namespace relais::send {
namespace {

// Clients that have connected and said nothing: then the oldest goes.
constexpr std::size_t clients_limit = 32;

}  // namespace

std::string Turns::take(std::string_view domain, Clock::time_point now) {
    if (domain.empty() || domain.size() > turn_domain_limit || !allowed_.contains(domain)) return "";
    std::string name = comparable(domain);
    const auto had = had_.find(name);
    if (had != had_.end() && now - had->second < turn_pause) return "";
    std::erase_if(had_, [&](const auto& each) { return now - each.second >= turn_pause; });
    if (had_.size() >= most) return "";
    had_[name] = now;
    return name;
}

TurnServer::TurnServer(EventLoop& loop, int listener, Ask ask)
    : loop_(loop), listener_(listener), ask_(std::move(ask)) {
    set_nonblocking(listener_, true);
    loop_.add(listener_, EPOLLIN, [this](std::uint32_t) { accept_clients(); });
}

void TurnServer::accept_clients() {
    accept_waiting(
        listener_, [] { return true; },
        [this](Fd client) {
            if (clients_.size() >= clients_limit) close(clients_.front().get());
            const int number = client.get();
            clients_.push_back(std::move(client));
            loop_.add(number, EPOLLIN, [this, number](std::uint32_t) { take(number); });
        });
}

void TurnServer::take(int fd) {
    std::optional<Packet> packet;
    try {
        packet = receive_packet(fd, turn_domain_limit);
    } catch (const Error& error) {
        if (error.number() == EAGAIN) return;
    }
    close(fd);
    if (packet) ask_(packet->data);
}

void TurnServer::close(int fd) {
    loop_.remove(fd);
    std::erase_if(clients_, [fd](const Fd& each) { return each.get() == fd; });
}

bool listens_for_turns(int fd) {
    int listens = 0, type = 0;
    socklen_t size = sizeof listens;
    if (::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 || listens == 0) return false;
    size = sizeof type;
    return ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET;
}

}  // namespace relais::send
