#include "net/connect.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>

#include <array>
#include <deque>
#include <optional>

#include "base/error.h"

namespace relais::net {
namespace {

bool bind_to(int fd, const std::string& ip) {
    if (ip.empty()) return true;
    const int on = 1;
    // The port is chosen with the destination known: as many connections as ever.
    ::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    const SocketAddress address = to_socket_address({ip, 0});
    return ::bind(fd, address.get(), address.size) == 0;
}

// The endpoints of one family, one after the other.
class Lane {
  public:
    void push(Endpoint endpoint) { waiting_.push_back(std::move(endpoint)); }
    bool finished() const { return !fd_ && waiting_.empty(); }
    bool connecting() const { return static_cast<bool>(fd_); }
    int fd() const { return fd_.get(); }
    Deadline deadline() const { return deadline_; }

    // Starts the next attempt that does not fail at once. True if it is connected already.
    bool start(std::chrono::milliseconds timeout, const LocalBinding& from,
               std::vector<ConnectFailure>& failures) {
        while (!fd_ && !waiting_.empty()) {
            current_ = std::move(waiting_.front());
            waiting_.pop_front();
            const SocketAddress address = to_socket_address(*current_);
            Fd fd(::socket(address.get()->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
            // A kernel without this family has no way there, which is the address's fault, not ours.
            if (!fd && errno != EAFNOSUPPORT) throw_errno("create", "a socket");
            deadline_ = Deadline::in(timeout);
            if (fd && !bind_to(fd.get(), current_->is_v6() ? from.v6 : from.v4)) {
                failures.push_back({*current_, errno, true});
                continue;
            }
            const bool done = fd && ::connect(fd.get(), address.get(), address.size) == 0;
            const int error = errno;
            if (done || (fd && error == EINPROGRESS)) fd_ = std::move(fd);
            if (done) return true;
            if (!fd_) failures.push_back({*current_, error});
        }
        return false;
    }

    // The attempt is decided, or its time is over. True if it is connected.
    bool decide(bool ready, std::vector<ConnectFailure>& failures) {
        int error = ETIMEDOUT;
        socklen_t size = sizeof error;
        if (ready && ::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
        if (error == 0) return true;
        failures.push_back({*current_, error});
        fd_.reset();
        return false;
    }

    const Endpoint& current() const { return *current_; }
    ConnectResult take() { return {std::move(fd_), *current_, {}, {}, {}}; }
    void give_back(std::vector<Endpoint>& untried) {
        if (fd_) untried.push_back(*current_);
        untried.insert(untried.end(), waiting_.begin(), waiting_.end());
    }

  private:
    std::deque<Endpoint> waiting_;
    std::optional<Endpoint> current_;
    Fd fd_;
    Deadline deadline_ = Deadline::never();
};

class Race {
  public:
    Race(std::vector<Endpoint> endpoints, std::chrono::milliseconds timeout,
         std::chrono::milliseconds head_start, const LocalBinding& from)
        : timeout_(timeout), from_(from), second_starts_(Deadline::in(head_start)) {
        const bool first_is_v6 = endpoints.front().is_v6();
        for (Endpoint& endpoint : endpoints) {
            const bool is_first = endpoint.is_v6() == first_is_v6;
            lanes_[is_first ? 0 : 1].push(std::move(endpoint));
        }
    }

    ConnectResult run() {
        for (;;) {
            if (lanes_[0].start(timeout_, from_, failures_)) return won(0);
            if ((second_starts_.passed() || lanes_[0].finished()) &&
                lanes_[1].start(timeout_, from_, failures_))
                return won(1);
            if (lanes_[0].finished() && lanes_[1].finished()) return {Fd(), {}, std::move(failures_), {}, {}};
            if (const auto winner = wait()) return won(*winner);
        }
    }

  private:
    std::optional<std::size_t> wait() {
        std::array<pollfd, 2> entries{};
        Deadline next = lanes_[1].connecting() || lanes_[1].finished() ? Deadline::never() : second_starts_;
        for (std::size_t i = 0; i < lanes_.size(); ++i) {
            entries[i] = {lanes_[i].connecting() ? lanes_[i].fd() : -1, POLLOUT, 0};
            if (lanes_[i].connecting()) next = earlier(next, lanes_[i].deadline());
        }
        if (::poll(entries.data(), entries.size(), next.milliseconds()) < 0 && errno != EINTR)
            throw_errno("wait for", "a connection");
        for (std::size_t i = 0; i < lanes_.size(); ++i) {
            if (!lanes_[i].connecting()) continue;
            const bool ready = entries[i].revents != 0;
            if ((ready || lanes_[i].deadline().passed()) && lanes_[i].decide(ready, failures_)) return i;
        }
        return std::nullopt;
    }

    ConnectResult won(std::size_t index) {
        ConnectResult result = lanes_[index].take();
        if (index == 1 && lanes_[0].connecting()) result.slow = lanes_[0].current();
        const int on = 1;
        ::setsockopt(result.fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        for (Lane& lane : lanes_) lane.give_back(result.untried);
        result.failures = std::move(failures_);
        return result;
    }

    std::chrono::milliseconds timeout_;
    const LocalBinding& from_;
    Deadline second_starts_;
    std::array<Lane, 2> lanes_;
    std::vector<ConnectFailure> failures_;
};

}  // namespace

ConnectResult connect_any(std::vector<Endpoint> endpoints, std::chrono::milliseconds timeout,
                          std::chrono::milliseconds head_start, const LocalBinding& from) {
    if (endpoints.empty()) return {};
    return Race(std::move(endpoints), timeout, head_start, from).run();
}

}  // namespace relais::net
