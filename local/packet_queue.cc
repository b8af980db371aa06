#include "local/packet_queue.h"

#include "base/error.h"
#include "base/unix_socket.h"

namespace relais::local {

// False if the socket is full.
bool PacketQueue::send_now(std::string_view packet) const {
    try {
        send_packet(socket_, packet);
        return true;
    } catch (const Error& error) {
        if (error.number() == EAGAIN || error.number() == ENOBUFS) return false;
        throw;
    }
}

void PacketQueue::send(std::string packet) {
    if (waiting_.empty() && send_now(packet)) return;
    if (waiting_.empty()) loop_.change(socket_, EPOLLIN | EPOLLOUT);
    waiting_.push_back(std::move(packet));
}

void PacketQueue::flush() {
    while (!waiting_.empty() && send_now(waiting_.front())) waiting_.pop_front();
    if (waiting_.empty()) loop_.change(socket_, EPOLLIN);
}

}  // namespace relais::local
