#include "base/io.h"

#include <poll.h>
#include <unistd.h>

#include <cstring>

#include "base/error.h"
#include "base/transport.h"

namespace relais {
namespace {

bool wait_for(int fd, short events, Deadline deadline) {
    for (;;) {
        pollfd entry{fd, events, 0};
        const int ready = ::poll(&entry, 1, deadline.milliseconds());
        if (ready > 0) return true;
        if (ready < 0 && errno != EINTR) throw_errno("wait for", "a descriptor");
        if (deadline.passed()) return false;
    }
}

}  // namespace

bool wait_readable(int fd, Deadline deadline) {
    return wait_for(fd, POLLIN, deadline);
}
bool wait_writable(int fd, Deadline deadline) {
    return wait_for(fd, POLLOUT, deadline);
}

std::size_t read_some(int fd, std::span<char> buffer, Deadline deadline) {
    for (;;) {
        if (deadline.milliseconds() >= 0 && !wait_readable(fd, deadline))
            throw_errno("read from", "the peer", ETIMEDOUT);
        const ssize_t count = ::read(fd, buffer.data(), buffer.size());
        if (count >= 0) return static_cast<std::size_t>(count);
        if (errno == EAGAIN) {
            if (!wait_readable(fd, deadline)) throw_errno("read from", "the peer", ETIMEDOUT);
        } else if (errno != EINTR) {
            throw_errno("read from", "the peer");
        }
    }
}

void write_all(int fd, std::string_view data, Deadline deadline) {
    while (!data.empty()) {
        if (deadline.milliseconds() >= 0 && !wait_writable(fd, deadline))
            throw_errno("write to", "the peer", ETIMEDOUT);
        const ssize_t count = ::write(fd, data.data(), data.size());
        if (count >= 0) {
            data.remove_prefix(static_cast<std::size_t>(count));
        } else if (errno == EAGAIN) {
            if (!wait_writable(fd, deadline)) throw_errno("write to", "the peer", ETIMEDOUT);
        } else if (errno != EINTR) {
            throw_errno("write to", "the peer");
        }
    }
}

std::string read_to_end(int fd, std::size_t limit, Deadline deadline) {
    std::string all;
    std::vector<char> buffer(io_buffer_size);
    while (const std::size_t count = read_some(fd, buffer, deadline)) {
        if (count > limit - all.size()) throw_errno("read", "more than the limit", EFBIG);
        all.append(buffer.data(), count);
    }
    return all;
}

bool read_exactly(int fd, std::span<char> buffer, Deadline deadline) {
    std::size_t have = 0;
    while (have < buffer.size()) {
        const std::size_t count = read_some(fd, buffer.subspan(have), deadline);
        if (count == 0) {
            if (have == 0) return false;
            throw_errno("read", "a whole record from the peer", EPIPE);
        }
        have += count;
    }
    return true;
}

bool Reader::has_buffered() const {
    return begin_ < end_ || (transport_ != nullptr && transport_->has_pending());
}

bool Reader::fill(Deadline deadline) {
    if (buffer_.empty()) buffer_.resize(io_buffer_size);
    if (begin_ == end_) begin_ = end_ = 0;
    if (end_ == buffer_.size()) {
        if (begin_ == 0) throw Error(Reaction::bug, "read into a full buffer");
        std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
        end_ -= begin_;
        begin_ = 0;
    }
    const std::span<char> room = std::span(buffer_).subspan(end_);
    const std::size_t count =
        transport_ != nullptr ? transport_->read_some(room, deadline) : read_some(fd_, room, deadline);
    end_ += count;
    return count > 0;
}

Reader::Line Reader::read_line(std::string& line, std::size_t limit, Deadline deadline) {
    line.clear();
    bool too_long = false;
    for (;;) {
        const std::string_view have = buffered();
        const std::size_t end = have.find('\n');
        const std::string_view part = have.substr(0, end);
        if (part.size() > limit - line.size()) too_long = true;
        if (!too_long) line.append(part);
        if (end != std::string_view::npos) {
            consume(end + 1);
            return too_long ? Line::too_long : Line::complete;
        }
        consume(have.size());
        if (!fill(deadline)) return too_long ? Line::too_long : Line::ended;
    }
}

}  // namespace relais
