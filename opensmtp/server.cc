#include "opensmtp/server.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/accept.h"
#include "base/error.h"
#include "base/program.h"
#include "base/unix_socket.h"

namespace relais::opensmtp {
namespace {

using namespace std::chrono_literals;

// Of a job, before logins get their turn: a fourth of what theirs took, within these bounds.
constexpr std::chrono::microseconds shortest_slice = 200us;
constexpr std::chrono::microseconds longest_slice = 5ms;
constexpr std::size_t connection_limit = 8000;
// A batch of the client's, answered before it reads (protocol.h).
constexpr std::size_t unread_limit = std::size_t{1} << 20;
// What a password program may take, with everything that slows it down.
constexpr auto idle_limit = 180s;
// The whole store is looked through once in ten minutes or so.
constexpr auto cleaning_pause = 2400ms;
// Expired entries are kept for a while: they say why somebody is refused.
constexpr std::int64_t kept_expired = 86400;

}  // namespace

OpenSmtpServer::OpenSmtpServer(EventLoop& loop, int listener, const control::Home& home)
    : loop_(loop), listener_(listener), keeper_(home, [] { return Moment::now(); }) {
    set_nonblocking(listener, true);
    loop_.add(listener, EPOLLIN, [this](std::uint32_t) { accept_some(); });
    loop_.before_wait([this] {
        keeper_.begin_turn();
        return work_on_jobs();
    });
    loop_.after(cleaning_pause, [this] { clean_one_split(); });
}

void OpenSmtpServer::accept_some() {
    accept_waiting(
        listener_, [] { return true; }, [this](Fd socket) { take_client(std::move(socket)); });
}

void OpenSmtpServer::take_client(Fd socket) {
    // The socket's mode has seen to it; a wrong mode must not open the door.
    const uid_t peer = peer_of(socket.get()).uid;
    if (connections_.size() >= connection_limit || (peer != 0 && peer != ::geteuid())) return;
    const int fd = socket.get();
    auto connection = std::make_shared<Connection>();
    connection->socket = std::move(socket);
    connection->last_exchange = Clock::now();
    connection->timer = loop_.after(idle_limit, [this, fd] { close_if_idle(fd); });
    loop_.add(fd, EPOLLIN, [this, fd](std::uint32_t events) { exchange(fd, events); });
    connections_[fd] = std::move(connection);
}

void OpenSmtpServer::exchange(int fd, std::uint32_t events) {
    const std::shared_ptr<Connection> connection = connections_.at(fd);
    const bool readable = (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0;
    if (readable && !read_requests(*connection)) return close(fd);
    answer_requests(connection);
    finish_exchange(connection);
}

void OpenSmtpServer::finish_exchange(const std::shared_ptr<Connection>& connection) {
    const int fd = connection->socket.get();
    if (!write_answers(*connection)) return close(fd);
    connection->last_exchange = Clock::now();
}

// The timer is set anew here and not at each exchange.
void OpenSmtpServer::close_if_idle(int fd) {
    Connection& connection = *connections_.at(fd);
    // Who waits for a long expiry is not idle.
    if (connection.busy) connection.last_exchange = Clock::now();
    if (Clock::now() - connection.last_exchange >= idle_limit) return close(fd);
    connection.timer = loop_.at(connection.last_exchange + idle_limit, [this, fd] { close_if_idle(fd); });
}

bool OpenSmtpServer::read_requests(Connection& connection) {
    std::array<char, 65536> buffer;
    const ssize_t count = ::recv(connection.socket.get(), buffer.data(), buffer.size(), 0);
    if (count < 0) return errno == EAGAIN || errno == EINTR;
    if (count == 0) return false;
    connection.in.append(buffer.data(), static_cast<std::size_t>(count));
    return connection.in.size() <= unread_limit;
}

void OpenSmtpServer::answer_requests(const std::shared_ptr<Connection>& connection) {
    std::size_t begin = 0;
    while (!connection->busy && !connection->ending) {
        const std::size_t end = connection->in.find('\n', begin);
        if (end == std::string::npos) break;
        const auto reply = answer(connection, std::string_view(connection->in).substr(begin, end - begin));
        if (reply) connection->out += encode(*reply);
        begin = end + 1;
    }
    connection->in.erase(0, begin);
    const bool endless = !connection->busy && connection->in.size() >= protocol_line_limit;
    if (endless || connection->out.size() > unread_limit) connection->ending = true;
}

// Nothing when a job will answer.
std::optional<Answer> OpenSmtpServer::answer(const std::shared_ptr<Connection>& connection,
                                             std::string_view line) {
    const auto request = decode_request(line);
    if (!request) return Answer{false, "not a request"};
    if (connection->channel && request->verb != Verb::confirm)
        return Answer{false, "this channel can only confirm"};
    try {
        switch (request->verb) {
            case Verb::channel:
                connection->channel = request;
                return Answer{true, ""};
            case Verb::confirm:
                return confirm(*connection, *request);
            case Verb::add:
                return keeper_.add(request->address, request->user, request->service);
            case Verb::import:
                return keeper_.import_one(*request);
            case Verb::remove:
                return keeper_.remove(request->address);
            case Verb::remove_user:
                jobs_.push_back(
                    {connection, [user = request->user](const Entry& e) { return e.user == user; }});
                break;
            case Verb::expire:
                jobs_.push_back({connection, keeper_.expired(0)});
                break;
        }
    } catch (const Error& error) {
        log_line(error.what());
        return Answer{false, error.what()};
    }
    connection->busy = true;
    return std::nullopt;
}

Answer OpenSmtpServer::confirm(Connection& connection, const Request& request) {
    if (!connection.channel) return {false, "no channel"};
    connection.ending = true;
    return keeper_.add(connection.channel->address, request.user, connection.channel->service);
}

bool OpenSmtpServer::write_answers(Connection& connection) {
    if (!send_pending(connection.socket.get(), connection.out)) return false;
    if (connection.out.empty() && connection.ending) return false;
    if (connection.blocked == connection.out.empty()) {
        connection.blocked = !connection.blocked;
        loop_.change(connection.socket.get(), connection.blocked ? EPOLLIN | EPOLLOUT : EPOLLIN);
    }
    return true;
}

// A few entries. True if the job is done.
bool OpenSmtpServer::advance(Job& job) {
    if (job.addresses.empty()) {
        if (job.split == job.end) return true;
        job.addresses = keeper_.addresses(job.split++);
        if (job.addresses.empty()) return false;
    }
    const auto begin = Clock::now();
    const auto others = std::chrono::duration_cast<std::chrono::microseconds>(begin - last_slice_);
    const auto end = begin + std::clamp(others / 4, shortest_slice, longest_slice);
    do {
        if (keeper_.remove_if(job.addresses.back(), job.drop)) ++job.removed;
        job.addresses.pop_back();
    } while (!job.addresses.empty() && Clock::now() < end);
    last_slice_ = Clock::now();
    return false;
}

// True if there is more to do.
bool OpenSmtpServer::work_on_jobs() {
    if (jobs_.empty()) return false;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    std::optional<Answer> result;
    try {
        if (advance(job)) result = Answer{true, std::to_string(job.removed)};
    } catch (const Error& error) {
        log_line(error.what());
        result = Answer{false, error.what()};
    }
    if (!result) {
        // Several jobs take turns.
        jobs_.push_back(std::move(job));
    } else if (const auto connection = job.asker.lock()) {
        connection->busy = false;
        connection->out += encode(*result);
        answer_requests(connection);
        finish_exchange(connection);
    }
    return !jobs_.empty();
}

void OpenSmtpServer::close(int fd) {
    const auto found = connections_.find(fd);
    if (found == connections_.end()) return;
    loop_.cancel(found->second->timer);
    loop_.remove(fd);
    connections_.erase(found);
}

void OpenSmtpServer::clean_one_split() {
    loop_.after(cleaning_pause, [this] { clean_one_split(); });
    try {
        keeper_.refresh();
        const unsigned split = next_split_++ % store_splits;
        jobs_.push_back({{}, keeper_.expired(kept_expired), split, split + 1});
    } catch (const Error& error) {
        log_line(error.what());
    }
}

}  // namespace relais::opensmtp
