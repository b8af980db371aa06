// What the listener itself says to a client.
#pragma once

#include <sys/socket.h>

#include <string>

namespace relais::listen {

// RFC 5321, 4.5.3.1.5. So much always fits the socket buffer of a new connection as a whole.
inline constexpr std::size_t reply_limit = 512;

// Sends the line and its end in one packet, without waiting. False if not all of it was taken, or if it is
// too long: then nothing was sent.
inline bool send_line(int connection, const std::string& text) {
    const std::string line = text + "\r\n";
    if (line.size() > reply_limit) return false;
    const ssize_t sent = ::send(connection, line.data(), line.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent == static_cast<ssize_t>(line.size());
}

}  // namespace relais::listen
