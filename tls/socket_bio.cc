#include "tls/socket_bio.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>

#include "base/error.h"

namespace relais::tls {
namespace {

// More than any handshake's flight; a message's replies are far less.
constexpr std::size_t held_limit = 65536;
// Of one try: a stream of TLS's own messages, each of which is handled at once, would otherwise never give
// the caller his turn.
constexpr std::size_t try_limit = 65536;

}  // namespace

void SocketBio::begin(Mode how, Deadline until) {
    mode = how;
    deadline = until;
    timed_out = false;
    may_read = try_limit;
}

bool SocketBio::wait(short events) {
    for (;;) {
        pollfd entry{fd, events, 0};
        const int ready = ::poll(&entry, 1, deadline.milliseconds());
        if (ready > 0) return true;
        if (ready < 0 && errno != EINTR) return true;  // the call that follows says what is wrong
        if (deadline.passed()) {
            timed_out = true;
            return false;
        }
    }
}

// Moves octets once call lets it. -1 without an error: would have to wait longer than it may.
template <class Call>
int SocketBio::move(short events, bool poll_first, Call call) {
    const bool waits = mode == Mode::waiting;
    for (bool ask = poll_first;; ask = true) {
        if (waits && ask && !wait(events)) return -1;
        // A steady drip must not outlive the deadline either.
        if (waits && deadline.passed()) {
            timed_out = true;
            return -1;
        }
        const ssize_t count = call();
        if (count >= 0) return static_cast<int>(count);
        if (errno == EINTR) continue;
        if (errno != EAGAIN) {
            error = errno;
            return -1;
        }
        if (!waits) return -1;
    }
}

int SocketBio::send(const char* data, std::size_t size) {
    return move(POLLOUT, false, [&] { return ::send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL); });
}

bool SocketBio::flush() {
    std::size_t sent = 0;
    while (sent < held.size()) {
        const int count = send(held.data() + sent, held.size() - sent);
        if (count < 0) break;
        sent += static_cast<std::size_t>(count);
    }
    // Gone as a whole, most times. What an error left will never be sent.
    if (sent == held.size() || error != 0)
        held.clear();
    else
        held.erase(0, sent);
    return held.empty() && error == 0;
}

int SocketBio::read(BIO* bio, char* buffer, int size) {
    BIO_clear_retry_flags(bio);
    int count = -1;
    if (mode == Mode::waiting || (mode == Mode::trying && may_read > 0)) {
        if (!flush() && error == 0) {
            BIO_set_retry_write(bio);
            return -1;
        }
        // Who takes no more may have said something before; the next write fails again.
        error = 0;
        const bool blocks = mode == Mode::waiting && socket_waits;
        count = move(POLLIN, !blocks, [&] {
            return ::recv(fd, buffer, static_cast<std::size_t>(size), blocks ? 0 : MSG_DONTWAIT);
        });
    }
    if (count == 0) ended = true;
    if (count > 0) may_read -= std::min(may_read, static_cast<std::size_t>(count));
    if (count < 0 && error == 0) BIO_set_retry_read(bio);
    return count;
}

int SocketBio::write(BIO* bio, const char* data, int size) {
    BIO_clear_retry_flags(bio);
    const auto length = static_cast<std::size_t>(size);
    if (mode == Mode::waiting && held.size() + length <= held_limit) {
        held.append(data, length);
        return size;
    }
    int count = -1;
    if (flush()) count = send(data, length);
    if (count < 0 && error == 0) BIO_set_retry_write(bio);
    return count;
}

SocketBio& SocketBio::of(BIO* bio) {
    return *static_cast<SocketBio*>(BIO_get_data(bio));
}

BIO_METHOD* SocketBio::method() {
    static BIO_METHOD* const method = [] {
        BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket with a deadline");
        if (made == nullptr) throw Error(Reaction::temporary, "unable to prepare TLS: out of memory");
        BIO_meth_set_read(made, [](BIO* from, char* to, int size) { return of(from).read(from, to, size); });
        BIO_meth_set_write(made,
                           [](BIO* to, const char* data, int size) { return of(to).write(to, data, size); });
        BIO_meth_set_ctrl(made, [](BIO* which, int command, long, void*) {
            if (command == BIO_CTRL_EOF) return of(which).ended ? 1L : 0L;
            return command == BIO_CTRL_FLUSH ? 1L : 0L;
        });
        return made;
    }();
    return method;
}

BIO* SocketBio::make_bio() {
    BIO* const bio = BIO_new(method());
    if (bio == nullptr) throw Error(Reaction::temporary, "unable to prepare TLS: out of memory");
    BIO_set_data(bio, this);
    BIO_set_init(bio, 1);
    return bio;
}

}  // namespace relais::tls
