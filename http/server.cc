#include "http/server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/accept.h"
#include "base/unix_socket.h"

namespace relais::http {
namespace {

// Of what a client says behind its request.
constexpr int reads_at_end = 16;

std::string peer_name(int fd) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    if (::getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return "";
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (address.ss_family == AF_UNIX) return "uid " + std::to_string(peer_of(fd).uid);
    const void* const octets =
        address.ss_family == AF_INET
            ? static_cast<const void*>(&reinterpret_cast<sockaddr_in*>(&address)->sin_addr)
            : &reinterpret_cast<sockaddr_in6*>(&address)->sin6_addr;
    return ::inet_ntop(address.ss_family, octets, text.data(), text.size()) == nullptr ? "" : text.data();
}

}  // namespace

Server::Server(EventLoop& loop, const std::vector<int>& listening, Handler handler, ServerLimits limits,
               NameClient name_client)
    : loop_(loop),
      handler_(std::move(handler)),
      limits_(limits),
      name_client_(std::move(name_client)),
      budgets_(limits.per_second) {
    for (const int socket : listening) {
        set_nonblocking(socket, true);
        loop_.add(socket, EPOLLIN, [this, socket](std::uint32_t) { accept_clients(socket); });
    }
}

void Server::accept_clients(int listening) {
    accept_waiting(
        listening, [] { return true; }, [this](Fd fd) { take_client(std::move(fd)); });
}

void Server::take_client(Fd fd) {
    if (clients_.size() >= limits_.clients) close_client(clients_.begin()->first);
    const Id id = next_client_++;
    loop_.add(fd.get(), EPOLLIN, [this, id](std::uint32_t events) { handle(id, events); });
    clients_[id].fd = std::move(fd);
    limit_time(id, limits_.time);
}

void Server::limit_time(Id id, std::chrono::milliseconds time) {
    Client& client = clients_.at(id);
    if (client.timer != 0) loop_.cancel(client.timer);
    client.timer = loop_.after(time, [this, id] {
        clients_.at(id).timer = 0;
        close_client(id);
    });
}

void Server::handle(Id id, std::uint32_t events) {
    const auto found = clients_.find(id);
    if (found == clients_.end()) return;
    Client& client = found->second;
    switch (client.state) {
        case Client::State::asking:
            if (!read(client)) return close_client(id);
            return serve(id);
        case Client::State::waiting:
            if ((events & (EPOLLHUP | EPOLLERR)) != 0) close_client(id);
            return;
        case Client::State::answered:
            return send(id);
        case Client::State::streaming:
            // It has nothing more to say: what comes is its end.
            return close_client(id);
    }
}

bool Server::read(Client& client) {
    std::array<char, header_limit> buffer;
    const ssize_t size = ::recv(client.fd.get(), buffer.data(), buffer.size(), 0);
    if (size > 0) client.input.append(buffer.data(), static_cast<std::size_t>(size));
    return size > 0 || (size < 0 && (errno == EAGAIN || errno == EINTR));
}

void Server::serve(Id id) {
    Client& client = clients_.at(id);
    const Request request = parse_request(client.input, limits_.body);
    if (request.state == Request::State::more) return;
    client.state = Client::State::waiting;
    client.head = request.method == "HEAD";
    loop_.change(client.fd.get(), 0);
    if (request.state == Request::State::too_large) {
        const bool header = request.method.empty();
        return answer(id, {header ? 431 : 413, "text/plain",
                           header ? "the header is too large\n" : "the body is too large\n"});
    }
    if (request.state == Request::State::malformed)
        return answer(id, {400, "text/plain", "this is no request of HTTP/1.1\n"});
    const std::string peer = peer_name(client.fd.get());
    const Name name = name_client_ ? name_client_(peer, request) : Name{peer, peer};
    client.name = name.client;
    if (limits_.per_second != 0 && !budgets_.take(name.counted, Clock::now()))
        return answer(id, {429, "text/plain", "too many requests: wait a moment\n"});
    limit_time(id, limits_.answer_time);
    // The client may go while it is served, and what was asked with it.
    const std::string input = client.input;
    handler_(id, parse_request(input, limits_.body));
}

std::string Server::client(Id id) const {
    const auto found = clients_.find(id);
    return found == clients_.end() ? "" : found->second.name;
}

void Server::answer(Id id, const Response& response) {
    const auto found = clients_.find(id);
    if (found == clients_.end() || found->second.state != Client::State::waiting) return;
    Client& client = found->second;
    const bool stream = response.stream && !client.head;
    client.output = encode(response, client.head);
    client.state = stream ? Client::State::streaming : Client::State::answered;
    limit_time(id, stream ? limits_.stream_time : limits_.time);
    if (stream)
        send_stream(id);
    else
        send(id);
}

bool Server::streams(Id id) const {
    const auto found = clients_.find(id);
    return found != clients_.end() && found->second.state == Client::State::streaming;
}

bool Server::push(Id id, std::string_view text) {
    if (!streams(id)) return false;
    clients_.at(id).output += text;
    send_stream(id);
    return streams(id);
}

void Server::send_stream(Id id) {
    Client& client = clients_.at(id);
    // What the system does not take at once stands behind what was not read.
    if (!send_pending(client.fd.get(), client.output) || !client.output.empty()) return close_client(id);
    loop_.change(client.fd.get(), EPOLLIN | EPOLLRDHUP);
}

void Server::send(Id id) {
    Client& client = clients_.at(id);
    if (!send_pending(client.fd.get(), client.output)) return close_client(id);
    if (!client.output.empty()) return loop_.change(client.fd.get(), EPOLLOUT);
    // What was not read would turn the end of the connection into a reset that takes the answer with it.
    ::shutdown(client.fd.get(), SHUT_WR);
    std::array<char, header_limit> rest;
    for (int i = 0; i < reads_at_end; ++i)
        if (::recv(client.fd.get(), rest.data(), rest.size(), MSG_DONTWAIT) <= 0) break;
    close_client(id);
}

void Server::close_client(Id id) {
    const auto found = clients_.find(id);
    if (found == clients_.end()) return;
    loop_.remove(found->second.fd.get());
    if (found->second.timer != 0) loop_.cancel(found->second.timer);
    clients_.erase(found);
}

}  // namespace relais::http
