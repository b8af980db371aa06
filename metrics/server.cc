#include "metrics/server.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

#include "base/io.h"
#include "base/program.h"
#include "base/unix_socket.h"

namespace relais::metrics {
namespace {

constexpr int accepts_at_once = 16;
constexpr int reads_at_end = 16;
constexpr std::string_view place = "/metrics";

}  // namespace

Server::Server(EventLoop& loop, const std::vector<int>& listening, control::Home home, ServerLimits limits)
    : loop_(loop), home_(std::move(home)), limits_(limits) {
    for (const int socket : listening) {
        set_nonblocking(socket, true);
        loop_.add(socket, EPOLLIN, [this, socket](std::uint32_t) { accept_clients(socket); });
    }
}

void Server::accept_clients(int listening) {
    for (int i = 0; i < accepts_at_once; ++i) {
        Fd fd(::accept4(listening, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!fd) return;
        if (clients_.size() >= limits_.clients) close_client(clients_.begin()->first);
        const ClientId id = next_client_++;
        loop_.add(fd.get(), EPOLLIN, [this, id](std::uint32_t events) { handle(id, events); });
        Client& client = clients_[id];
        client.fd = std::move(fd);
        client.timer = loop_.after(limits_.time, [this, id] {
            clients_.at(id).timer = 0;
            close_client(id);
        });
    }
}

void Server::handle(ClientId id, std::uint32_t) {
    const auto found = clients_.find(id);
    if (found == clients_.end()) return;
    Client& client = found->second;
    if (client.output.empty()) {
        if (!read(client)) return close_client(id);
        const Request request = parse_request(client.input);
        if (request.state == Request::State::more) return;
        client.output = answer(request);
    }
    if (!send_pending(client.fd.get(), client.output)) return close_client(id);
    if (!client.output.empty()) return loop_.change(client.fd.get(), EPOLLOUT);
    // What was not read would turn the end of the connection into a reset that takes the answer with it.
    ::shutdown(client.fd.get(), SHUT_WR);
    // Whoever goes on saying something gets that reset: others wait meanwhile.
    std::array<char, request_limit> rest;
    for (int i = 0; i < reads_at_end; ++i)
        if (::recv(client.fd.get(), rest.data(), rest.size(), MSG_DONTWAIT) <= 0) break;
    close_client(id);
}

bool Server::read(Client& client) {
    std::array<char, request_limit> buffer;
    const ssize_t size = ::recv(client.fd.get(), buffer.data(), buffer.size(), 0);
    if (size > 0) client.input.append(buffer.data(), static_cast<std::size_t>(size));
    return size > 0 || (size < 0 && (errno == EAGAIN || errno == EINTR));
}

std::string Server::answer(const Request& request) {
    if (request.state == Request::State::too_large)
        return encode({431, "text/plain", "the header is too large\n"}, false);
    if (request.state == Request::State::malformed)
        return encode({400, "text/plain", "this is no request of HTTP/1.1\n"}, false);
    const bool head = request.method == "HEAD";
    if (request.method != "GET" && !head)
        return encode({405, "text/plain", "only GET and HEAD are known here\n"}, false);
    if (request.path != place)
        return encode({404, "text/plain", "the counters are at " + std::string(place) + "\n"}, head);
    return encode({200, content_type(request.form), counters(request.form)}, head);
}

std::string Server::counters(Form form) {
    std::vector<std::string> wrong;
    const Pages pages = read_pages(home_, &wrong);
    std::string trouble;
    for (const std::string& text : wrong) trouble += (trouble.empty() ? "" : "; ") + text;
    if (trouble != logged_ && !trouble.empty()) log_line("warning: " + trouble);
    logged_ = trouble;
    return show(pages, form);
}

void Server::close_client(ClientId id) {
    const auto found = clients_.find(id);
    if (found == clients_.end()) return;
    loop_.remove(found->second.fd.get());
    if (found->second.timer != 0) loop_.cancel(found->second.timer);
    clients_.erase(found);
}

}  // namespace relais::metrics
