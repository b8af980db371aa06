// Local sockets: the only way our programs talk to each other.
#pragma once

#include <sys/types.h>

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/deadline.h"
#include "base/fd.h"

namespace relais {

// Two connected SOCK_SEQPACKET sockets, close-on-exec: one packet is one message. Throws Error.
std::pair<Fd, Fd> make_packet_pair();

// A listening stream socket at path, with that mode and, when not -1, owner. It replaces an old one in one
// step, and takes connections as soon as the name is there. One at a time in a directory. Throws Error.
Fd listen_unix(const std::string& path, mode_t mode, uid_t uid, gid_t gid);

// The same with packets, of the process's user.
Fd listen_packets(const std::string& path, mode_t mode);

// Connects to a stream socket. Throws Error with the errno of connect: ENOENT and ECONNREFUSED mean that no
// server runs, EAGAIN that its backlog is full (tried again until the deadline).
Fd connect_unix(const std::string& path, Deadline deadline);
// The same for packets.
Fd connect_packets(const std::string& path, Deadline deadline);

struct Peer {
    pid_t pid;
    uid_t uid;
    gid_t gid;
};
// Who is at the other end (SO_PEERCRED). Throws Error.
Peer peer_of(int socket);

// Sends as much of data as a non-blocking stream socket takes now, and erases that. False if the peer has
// gone.
bool send_pending(int socket, std::string& data);

// Sends one packet with at most one descriptor (-1 for none). False if the peer has gone; with EAGAIN on a
// non-blocking socket it throws an Error of that number. Throws Error.
bool send_packet(int socket, std::string_view data, int fd_to_pass = -1);

struct Packet {
    std::string data;
    Fd passed;
};
// Receives one packet of at most limit octets, with at most one descriptor, close-on-exec. Nothing when the
// peer has closed. Throws Error (EAGAIN when non-blocking and there is none; EMSGSIZE when it was longer than
// limit).
std::optional<Packet> receive_packet(int socket, std::size_t limit);

}  // namespace relais
