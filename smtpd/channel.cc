#include "smtpd/channel.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "base/error.h"
#include "base/io.h"

namespace relais::smtpd {
namespace {

constexpr std::size_t skip_limit = std::size_t{1} << 20;
// Replies to a client that sends and sends without ever waiting for them.
constexpr std::size_t output_limit = 32768;

bool make_kernel_wait(int fd, int option, std::chrono::seconds timeout) {
    const timeval value{timeout.count(), 0};
    return ::setsockopt(fd, SOL_SOCKET, option, &value, sizeof value) == 0;
}

}  // namespace

// The buffer is not cleared: an idle session must not touch 64 KiB.
Channel::Channel(int in, int out, std::chrono::seconds timeout)
    : in_(in),
      out_(out),
      timeout_(timeout),
      kernel_waits_(make_kernel_wait(in, SO_RCVTIMEO, timeout) &&
                    make_kernel_wait(out, SO_SNDTIMEO, timeout)),
      buffer_(static_cast<char*>(std::malloc(io_buffer_size))) {
    if (!buffer_) throw std::bad_alloc();
}

Channel::~Channel() {
    ::explicit_bzero(buffer_.get(), touched_);
}

bool Channel::has_input_within(std::chrono::milliseconds time) const {
    if (!buffered().empty()) return true;
    int count = 0;
    return wait_readable(in_, Deadline::in(time)) && ::ioctl(in_, FIONREAD, &count) == 0 && count > 0;
}

void Channel::set_timeout(std::chrono::seconds timeout) {
    if (timeout == timeout_) return;
    timeout_ = timeout;
    if (kernel_waits_)
        kernel_waits_ =
            make_kernel_wait(in_, SO_RCVTIMEO, timeout) && make_kernel_wait(out_, SO_SNDTIMEO, timeout);
}

ClientLost::ClientLost(int error_number)
    : Error(Reaction::temporary, "connection lost: " + errno_text(error_number), error_number) {}

// Reads at least one octet, or none when the client has closed.
std::size_t Channel::receive(char* to, std::size_t size, Deadline deadline) {
    for (;;) {
        if (!kernel_waits_ && !wait_readable(in_, deadline)) throw ClientLost(ETIMEDOUT);
        const ssize_t count = ::read(in_, to, size);
        if (count >= 0) return static_cast<std::size_t>(count);
        if (errno != EAGAIN && errno != EINTR) throw ClientLost(errno);
        // With the kernel's timeout over the deadline has passed too, unless the socket is a non-blocking
        // one.
        if (errno == EAGAIN && !wait_readable(in_, deadline)) throw ClientLost(ETIMEDOUT);
    }
}

// Replies wait until what TLS has read ahead is used up too.
std::size_t Channel::receive_decrypted(char* to, std::size_t size, Deadline deadline) {
    try {
        const Transport::Progress progress = transport_->try_pending({to, size});
        if (progress.count > 0 || progress.ended) return progress.count;
        flush();
        return transport_->read_some({to, size}, deadline);
    } catch (const ClientLost&) {
        throw;
    } catch (const Error& error) {
        throw ClientLost(error.number());
    }
}

bool Channel::fill(Deadline deadline) {
    if (transport_ == nullptr) flush();
    if (begin_ == end_) begin_ = end_ = 0;
    if (begin_ > 0 && end_ == io_buffer_size) {
        std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
        end_ -= begin_;
        begin_ = 0;
    }
    if (deadline.passed()) throw ClientLost(ETIMEDOUT);
    char* const to = buffer_.get() + end_;
    const std::size_t room = io_buffer_size - end_;
    const std::size_t count =
        transport_ == nullptr ? receive(to, room, deadline) : receive_decrypted(to, room, deadline);
    end_ += count;
    touched_ = std::max(touched_, end_);
    return count > 0;
}

Channel::Line Channel::read_line(std::string_view& line, std::size_t limit) {
    const Deadline deadline = Deadline::in(timeout_);
    std::size_t searched = 0;
    std::size_t skipped = 0;
    for (;;) {
        const std::string_view have = buffered();
        const std::size_t end = have.find('\n', searched);
        if (end != std::string_view::npos) {
            consume(end + 1);
            const bool complete = end > 0 && have[end - 1] == '\r';
            line = have.substr(0, complete ? end - 1 : end);
            if (skipped > 0 || line.size() > limit) return Line::too_long;
            return complete ? Line::complete : Line::bare;
        }
        searched = have.size();
        if (have.size() > limit + 1) {
            skipped += have.size();
            consume(have.size());
            searched = 0;
            if (skipped > skip_limit) return Line::endless;
        }
        if (!fill(deadline)) return Line::ended;
    }
}

std::string_view Channel::read_data() {
    if (begin_ == end_ && !fill(Deadline::in(timeout_))) throw ClientLost(ECONNRESET);
    return buffered();
}

void Channel::wipe_used() {
    ::explicit_bzero(buffer_.get(), begin_);
}

void Channel::reply(std::string_view text) {
    output_ += text;
    output_ += "\r\n";
    if (output_.size() > output_limit) flush();
}

template <class Send>
void Channel::send_encrypted(Send send) {
    try {
        send();
    } catch (const Error& error) {
        throw ClientLost(error.number());
    }
}

void Channel::finish() {
    if (transport_ == nullptr) return flush();
    const std::string output = std::exchange(output_, {});
    send_encrypted([&] { transport_->write_last(output, Deadline::in(timeout_)); });
}

void Channel::end_with_last_reply() {
    int unread = 0;
    if (::ioctl(in_, FIONREAD, &unread) != 0 || unread > 0) return;
    const int on = 1;
    // Refused by what is no TCP socket: then there are no packets to save.
    ::setsockopt(out_, IPPROTO_TCP, TCP_CORK, &on, sizeof on);
}

void Channel::flush() {
    if (output_.empty()) return;
    // Taken out first: after a failure the same octets must not be tried again.
    const std::string output = std::move(output_);
    output_.clear();
    if (transport_ != nullptr)
        return send_encrypted([&] { transport_->write_all(output, Deadline::in(timeout_)); });
    const Deadline deadline = Deadline::in(timeout_);
    std::string_view left = output;
    while (!left.empty()) {
        if (!kernel_waits_ && !wait_writable(out_, deadline)) throw ClientLost(ETIMEDOUT);
        const ssize_t count = ::write(out_, left.data(), left.size());
        if (count > 0) left.remove_prefix(static_cast<std::size_t>(count));
        if (count >= 0) continue;
        if (errno != EAGAIN && errno != EINTR) throw ClientLost(errno);
        if (errno == EAGAIN && !wait_writable(out_, deadline)) throw ClientLost(ETIMEDOUT);
    }
}

void Channel::switch_to(Transport& transport) {
    begin_ = end_ = 0;
    transport_ = &transport;
}

}  // namespace relais::smtpd
