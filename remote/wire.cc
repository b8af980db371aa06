#include "remote/wire.h"

#include <poll.h>

#include "base/error.h"
#include "base/io.h"

namespace relais::remote {
namespace {

// Replies held while writing; a server that talks on is no longer listened to until the write is over.
constexpr std::size_t input_limit = 256 * 1024;

}  // namespace

// Reads what there is. wants says what to wait for if that was nothing; an end is remembered.
Transport::Progress Wire::receive() {
    input_.erase(0, begin_);
    begin_ = 0;
    const std::size_t have = input_.size();
    input_.resize(have + 4096);
    Transport::Progress progress{0, Transport::Wants::read, false};
    try {
        progress = transport_->try_read(std::span(input_).subspan(have));
        ended_ = progress.ended;
    } catch (const Error&) {
        ended_ = true;
    }
    input_.resize(have + progress.count);
    return progress;
}

void Wire::write(std::string_view data, Deadline deadline) {
    while (!data.empty()) {
        const Transport::Progress progress = transport_->try_write(data);
        data.remove_prefix(progress.count);
        if (progress.wants == Transport::Wants::nothing) continue;
        const bool listening = !ended_ && input_.size() - begin_ < input_limit;
        // What TLS has read ahead, no poll shows.
        if (encrypted_ && listening && receive().count > 0) continue;
        short events = progress.wants == Transport::Wants::write ? POLLOUT : POLLIN;
        if (listening) events |= POLLIN;
        pollfd entry{fd_.get(), events, 0};
        if (::poll(&entry, 1, deadline.milliseconds()) < 0 && errno != EINTR)
            throw_errno("wait for", "the server");
        if (!encrypted_ && (entry.revents & POLLIN) != 0) receive();
        if ((entry.revents & POLLOUT) == 0 && deadline.passed())
            throw_errno("write to", "the server", ETIMEDOUT);
    }
}

// More input, or its end; what TLS has read ahead comes without a wait.
void Wire::wait_and_receive(Deadline deadline) {
    Transport::Wants wants = Transport::Wants::read;
    if (encrypted_) {
        const Transport::Progress progress = receive();
        if (progress.wants == Transport::Wants::nothing || ended_) return;
        wants = progress.wants;
    }
    const bool ready = wants == Transport::Wants::read ? wait_readable(fd_.get(), deadline)
                                                       : wait_writable(fd_.get(), deadline);
    if (!ready) throw_errno("read from", "the server", ETIMEDOUT);
    receive();
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
        wait_and_receive(deadline);
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
    if (ended_ || begin_ < input_.size()) return false;
    pollfd entry{fd_.get(), POLLIN, 0};
    if (!encrypted_) return ::poll(&entry, 1, 0) == 0;
    // TLS may have said something of its own (a session ticket).
    return receive().count == 0 && !ended_;
}

void Wire::switch_to(std::unique_ptr<Transport> transport) {
    input_.clear();
    begin_ = 0;
    transport_ = std::move(transport);
    encrypted_ = true;
}

}  // namespace relais::remote
