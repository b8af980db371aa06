#include "base/packet_queue.h"

#include <utility>

namespace relais {

void PacketQueue::flush() {
    if (full_ || packets_.waiting() == 0) return;
    full_ = !packets_.flush(socket_);
    if (full_) loop_.change(socket_, EPOLLIN | EPOLLOUT);
}

void PacketQueue::on_writable() {
    if (!std::exchange(full_, false)) return;
    loop_.change(socket_, EPOLLIN);
    flush();
}

}  // namespace relais
