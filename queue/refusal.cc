#include "queue/refusal.h"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "base/io.h"

namespace relais::queue {
namespace {

// More than a socket's buffer holds.
constexpr int most_reads = 64;

// False if nobody can be accepted for lack of something.
bool refuse_next(int listener, SubmitCode code) {
    const Fd connection(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
    if (connection)
        refuse(connection.get(), code);
    else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
        return false;
    return true;
}

}  // namespace

void refuse(int connection, SubmitCode code, std::string_view text) {
    const std::string answer = encode_answer({code, 0, std::string(text)});
    [[maybe_unused]] const ssize_t sent =
        ::send(connection, answer.data(), answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    // From here on a client that writes is told to stop. Closed with octets unread, the connection would be
    // reset, and where that discards what was sent the answer with it.
    ::shutdown(connection, SHUT_RD);
    std::array<char, 4096> ignored;
    for (int i = 0; i < most_reads; ++i)
        if (::recv(connection, ignored.data(), ignored.size(), MSG_DONTWAIT) <= 0) break;
}

void refuse_for(std::span<const int> listeners, SubmitCode code, Deadline deadline) {
    std::vector<pollfd> entries;
    for (const int listener : listeners) {
        set_nonblocking(listener, true);
        entries.push_back({listener, POLLIN, 0});
    }
    while (!deadline.passed()) {
        if (::poll(entries.data(), entries.size(), deadline.milliseconds()) < 0 && errno != EINTR)
            throw_errno("wait for", "connections");
        for (const pollfd& entry : entries)
            if ((entry.revents & POLLIN) != 0 && !refuse_next(entry.fd, code)) return;
    }
}

}  // namespace relais::queue
