#include "send/turn_protocol.h"

#include <cerrno>

#include "base/error.h"
#include "base/unix_socket.h"

namespace relais::send {

void ask_for_turn(const control::Home& home, std::string_view domain, Deadline deadline) {
    const std::string path = home.socket(turn_socket);
    const Fd socket = connect_packets(path, deadline);
    if (!send_packet(socket.get(), domain)) throw_errno("write to", path, ECONNRESET);
}

}  // namespace relais::send
