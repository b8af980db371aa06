#include "send/control_server.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "base/error.h"
#include "base/program.h"
#include "base/unix_socket.h"

namespace relais::send {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t connection_limit = 32;
constexpr std::size_t unread_limit = 65536;
constexpr auto idle_limit = 60s;

}  // namespace

ControlServer::ControlServer(EventLoop& loop, int listener, Answer answer)
    : loop_(loop), listener_(listener), answer_(std::move(answer)) {
    set_nonblocking(listener, true);
    loop_.add(listener, EPOLLIN, [this](std::uint32_t) { accept_one(); });
}

void ControlServer::accept_one() {
    Fd socket(::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    // Beyond the limit a client sees its connection end; so does one that comes when descriptors are short.
    if (!socket || connections_.size() >= connection_limit) return;
    const int fd = socket.get();
    auto connection = std::make_unique<Connection>();
    connection->socket = std::move(socket);
    loop_.add(fd, EPOLLIN, [this, fd](std::uint32_t events) { exchange(fd, events); });
    restart_timer(*connection);
    connections_[fd] = std::move(connection);
}

void ControlServer::restart_timer(Connection& connection) {
    if (connection.timer != 0) loop_.cancel(connection.timer);
    connection.timer = loop_.after(idle_limit, [this, fd = connection.socket.get()] { close(fd); });
}

void ControlServer::exchange(int fd, std::uint32_t events) {
    Connection& connection = *connections_.at(fd);
    const bool readable = (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0;
    if ((readable && !read_requests(connection)) || !write_answers(connection)) return close(fd);
    restart_timer(connection);
}

bool ControlServer::read_requests(Connection& connection) {
    std::array<char, 4096> buffer;
    const ssize_t count = ::recv(connection.socket.get(), buffer.data(), buffer.size(), 0);
    if (count < 0) return errno == EAGAIN || errno == EINTR;
    if (count == 0) return false;
    connection.in.append(buffer.data(), static_cast<std::size_t>(count));
    for (std::size_t end = 0; (end = connection.in.find('\n')) != std::string::npos;) {
        connection.out += answer_line(std::string_view(connection.in).substr(0, end));
        connection.in.erase(0, end + 1);
    }
    return connection.in.size() <= control_line_limit && connection.out.size() <= unread_limit;
}

std::string ControlServer::answer_line(std::string_view line) {
    const auto request = decode_control_request(line);
    if (!request) return encode(ControlAnswer{false, "unknown request"}, false);
    const bool wants_text = has_text(request->verb);
    try {
        return encode(answer_(*request), wants_text);
    } catch (const Error& error) {
        return encode(ControlAnswer{false, error.what()}, wants_text);
    }
}

bool ControlServer::write_answers(Connection& connection) {
    if (!send_pending(connection.socket.get(), connection.out)) return false;
    loop_.change(connection.socket.get(), connection.out.empty() ? EPOLLIN : EPOLLIN | EPOLLOUT);
    return true;
}

void ControlServer::close(int fd) {
    const auto found = connections_.find(fd);
    if (found == connections_.end()) return;
    loop_.cancel(found->second->timer);
    loop_.remove(fd);
    connections_.erase(found);
}

}  // namespace relais::send
