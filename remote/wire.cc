#include "remote/wire.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>

#include "base/error.h"
#include "base/io.h"

namespace relais::remote {
namespace {

// Replies held while writing; a server that talks on is no longer listened to until the write is over.
constexpr std::size_t input_limit = 256 * 1024;

short events_of(Transport::Wants wants) {
    return wants == Transport::Wants::write ? POLLOUT : POLLIN;
}

// False when the deadline passed first.
bool wait_for(int fd, short events, Deadline deadline) {
    return events == POLLOUT ? wait_writable(fd, deadline) : wait_readable(fd, deadline);
}

}  // namespace

// Reads what there is.
Wire::Step Wire::receive() {
    input_.erase(0, begin_);
    begin_ = 0;
    const std::size_t have = input_.size();
    input_.resize(have + 4096);
    Step step{false, POLLIN};
    if (!tls_) {
        const ssize_t count = ::recv(fd_.get(), input_.data() + have, input_.size() - have, 0);
        input_.resize(have + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
        if (count < 0 && errno != EAGAIN && errno != EINTR) ended_ = true;
        if (count == 0) ended_ = true;
        step.moved = count > 0;
        return step;
    }
    try {
        const Transport::Progress progress = tls_->try_read({input_.data() + have, input_.size() - have});
        input_.resize(have + progress.count);
        ended_ = ended_ || progress.ended;
        return {progress.count > 0, events_of(progress.wants)};
    } catch (const Error&) {
        input_.resize(have);
        ended_ = true;
        return step;
    }
}

// Takes from data what went. Throws Error.
Wire::Step Wire::send(std::string_view& data) {
    if (tls_) {
        const Transport::Progress progress = tls_->try_write(data);
        data.remove_prefix(progress.count);
        return {progress.count > 0, events_of(progress.wants)};
    }
    const ssize_t count = ::send(fd_.get(), data.data(), data.size(), MSG_NOSIGNAL);
    if (count < 0 && errno != EAGAIN && errno != EINTR) throw_errno("write to", "the server");
    data.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    return {count >= 0 || errno == EINTR, POLLOUT};
}

void Wire::write(std::string_view data, Deadline deadline) {
    while (!data.empty()) {
        const Step step = send(data);
        if (step.moved) continue;
        const bool listening = !ended_ && input_.size() - begin_ < input_limit;
        pollfd entry{fd_.get(), static_cast<short>(listening ? step.events | POLLIN : step.events), 0};
        if (::poll(&entry, 1, deadline.milliseconds()) < 0 && errno != EINTR)
            throw_errno("wait for", "the server");
        if ((entry.revents & POLLIN) != 0 && listening) receive();
        if ((entry.revents & step.events) == 0 && deadline.passed())
            throw_errno("write to", "the server", ETIMEDOUT);
    }
}

bool Wire::write_in_silence(std::string_view data, Deadline deadline) {
    while (!data.empty()) {
        const short listening = receive().events;
        if (has_unread()) return false;
        if (ended_) throw_errno("write to", "the server", ECONNRESET);
        const Step step = send(data);
        if (step.moved) continue;
        const short events = static_cast<short>(step.events | listening);
        pollfd entry{fd_.get(), events, 0};
        if (::poll(&entry, 1, deadline.milliseconds()) < 0 && errno != EINTR)
            throw_errno("wait for", "the server");
        if (deadline.passed()) throw_errno("write to", "the server", ETIMEDOUT);
    }
    return true;
}

Reply Wire::read_reply(Deadline deadline) {
    ReplyParser parser;
    for (;;) {
        begin_ += parser.feed(std::string_view(input_).substr(begin_));
        if (parser.complete()) return parser.finish();
        await_more(deadline);
    }
}

char Wire::read_octet(Deadline deadline) {
    while (!has_unread()) await_more(deadline);
    return input_[begin_++];
}

void Wire::await_more(Deadline deadline) {
    if (ended_) throw_errno("read from", "the server", ECONNRESET);
    // Under TLS octets may be here already, where poll(2) does not see them.
    bool try_first = tls_ != nullptr;
    for (Step step{false, POLLIN}; !step.moved && !ended_; try_first = false) {
        if (!try_first && !wait_for(fd_.get(), step.events, deadline))
            throw_errno("read from", "the server", ETIMEDOUT);
        // A steady drip must not outlive the deadline.
        if (deadline.passed()) throw_errno("read from", "the server", ETIMEDOUT);
        step = receive();
    }
}

Reply Wire::last_words() {
    try {
        return read_reply(Deadline::in(std::chrono::milliseconds(500)));
    } catch (const Error&) {
        return Reply{};
    }
}

bool Wire::is_quiet() {
    if (ended_ || has_unread()) return false;
    if (!tls_) {
        pollfd entry{fd_.get(), POLLIN, 0};
        return ::poll(&entry, 1, 0) == 0;
    }
    // A session ticket is nothing that it says; and what TLS has read ahead no poll shows.
    receive();
    return !ended_ && !has_unread();
}

void Wire::switch_to(std::unique_ptr<tls::Connection> connection) {
    input_.clear();
    begin_ = 0;
    tls_ = std::move(connection);
}

void Wire::shut_down() {
    if (tls_) tls_->shut_down();
}

}  // namespace relais::remote
