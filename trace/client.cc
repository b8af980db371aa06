#include "trace/client.h"

#include <sys/socket.h>

#include <cerrno>

#include "base/error.h"
#include "base/io.h"
#include "base/time.h"
#include "base/unix_socket.h"
#include "control/setting.h"
#include "trace/protocol.h"

namespace relais::trace {
namespace {

// Where nobody answers, a try costs two calls: not one for each event.
constexpr Seconds connect_pause{1};

}  // namespace

bool is_kept(const control::Home& home) {
    return !control::read<"keeptrace">(home).empty();
}

Client::Client(const control::Home& home, std::string_view socket, std::function<void(std::size_t)> lost)
    : path_(home.socket(socket)), lost_(std::move(lost)) {}

void Client::put(const Event& event) {
    const std::string record = encode(event, event.time() != 0 ? event.time() : now_microseconds());
    if (packet_.size() + record.size() > packet_limit) flush();
    packet_ += record;
    ++records_;
}

bool Client::connect() {
    if (socket_) return true;
    if (Clock::now() < next_try_) return false;
    next_try_ = Clock::now() + connect_pause;
    try {
        // Already passed: a full backlog is not waited for.
        socket_ = connect_packets(path_, Deadline::in(std::chrono::milliseconds(0)));
        return true;
    } catch (const Error&) {
        return false;
    }
}

void Client::flush() {
    if (records_ == 0) return;
    const bool sent =
        connect() && ::send(socket_.get(), packet_.data(), packet_.size(), MSG_DONTWAIT | MSG_NOSIGNAL) ==
                         static_cast<ssize_t>(packet_.size());
    if (!sent) {
        lost_(records_);
        if (socket_ && errno != EAGAIN && errno != ENOBUFS) socket_.reset();
    }
    // Freed, and overwritten with that where a process serves strangers one after the other.
    std::string().swap(packet_);
    records_ = 0;
}

}  // namespace relais::trace
