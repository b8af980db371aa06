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

}  // namespace

// Reads what there is. False if nothing came, or the server has ended.
bool Wire::receive() {
    input_.erase(0, begin_);
    begin_ = 0;
    const std::size_t have = input_.size();
    input_.resize(have + 4096);
    const ssize_t count = ::recv(fd_.get(), input_.data() + have, input_.size() - have, 0);
    input_.resize(have + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    if (count < 0 && errno != EAGAIN && errno != EINTR) ended_ = true;
    if (count == 0) ended_ = true;
    return count > 0;
}

void Wire::write(std::string_view data, Deadline deadline) {
    while (!data.empty()) {
        const ssize_t count = ::send(fd_.get(), data.data(), data.size(), MSG_NOSIGNAL);
        if (count >= 0) {
            data.remove_prefix(static_cast<std::size_t>(count));
            continue;
        }
        if (errno == EINTR) continue;
        if (errno != EAGAIN) throw_errno("write to", "the server");
        const bool listening = !ended_ && input_.size() - begin_ < input_limit;
        pollfd entry{fd_.get(), static_cast<short>(listening ? POLLOUT | POLLIN : POLLOUT), 0};
        if (::poll(&entry, 1, deadline.milliseconds()) < 0 && errno != EINTR)
            throw_errno("wait for", "the server");
        if ((entry.revents & POLLIN) != 0) receive();
        if ((entry.revents & POLLOUT) == 0 && deadline.passed())
            throw_errno("write to", "the server", ETIMEDOUT);
    }
}

Reply Wire::read_reply(Deadline deadline) {
    ReplyParser parser;
    std::size_t searched = 0;
    for (;;) {
        const std::string_view have = std::string_view(input_).substr(begin_);
        const std::size_t end = have.find('\n', searched);
        if (end != std::string_view::npos) {
            const bool complete = end > ReplyParser::line_limit || parser.take(have.substr(0, end));
            begin_ += end + 1;
            searched = 0;
            if (complete) return parser.finish();
            continue;
        }
        searched = have.size();
        // Not a line: not a reply. What it is stays unread, for the connection will not be used again.
        if (searched > ReplyParser::line_limit) return Reply{};
        if (ended_) throw_errno("read from", "the server", ECONNRESET);
        if (!wait_readable(fd_.get(), deadline)) throw_errno("read from", "the server", ETIMEDOUT);
        receive();
    }
}

Reply Wire::last_words() {
    try {
        return read_reply(Deadline::in(std::chrono::milliseconds(500)));
    } catch (const Error&) {
        return Reply{};
    }
}

bool Wire::is_quiet() const {
    if (ended_ || begin_ < input_.size()) return false;
    pollfd entry{fd_.get(), POLLIN, 0};
    return ::poll(&entry, 1, 0) == 0;
}

}  // namespace relais::remote
