#include "base/unix_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <span>

#include "base/error.h"

namespace relais {
namespace {

sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) throw_errno("use the socket path", path, ENAMETOOLONG);
    std::memcpy(address.sun_path, path.data(), path.size());
    return address;
}

// Limits are large and packets small: pages that no packet has filled yet take no memory.
std::span<char> packet_room(std::size_t limit) {
    static std::unique_ptr<char[]> room;
    static std::size_t size = 0;
    if (size < limit) {
        room = std::make_unique_for_overwrite<char[]>(limit);
        size = limit;
    }
    return {room.get(), limit};
}

Fd listen_at(const std::string& path, int type, mode_t mode, uid_t uid, gid_t gid) {
    address_of(path);  // refuses one that is too long, before anything happens
    // Made under another name, no longer than any of ours: who finds the socket finds it ready.
    const std::string fresh = path.substr(0, path.rfind('/') + 1) + ".new";
    const sockaddr_un address = address_of(fresh);
    Fd fd(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
    if (!fd) throw_errno("create", "a socket");
    if (::unlink(fresh.c_str()) != 0 && errno != ENOENT) throw_errno("remove", fresh);
    // Closed to everybody until mode and owner are right.
    const mode_t before = ::umask(0777);
    const int bound = ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    const int bind_error = errno;
    ::umask(before);
    if (bound != 0) throw_errno("bind", path, bind_error);
    if (uid != static_cast<uid_t>(-1) && ::chown(fresh.c_str(), uid, gid) != 0)
        throw_errno("change the owner of", path);
    if (::chmod(fresh.c_str(), mode) != 0) throw_errno("change the mode of", path);
    if (::listen(fd.get(), 1024) != 0) throw_errno("listen on", path);
    if (::rename(fresh.c_str(), path.c_str()) != 0) throw_errno("rename to", path);
    return fd;
}

Fd connect_to(const std::string& path, int type, Deadline deadline) {
    const sockaddr_un address = address_of(path);
    for (;;) {
        Fd fd(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
        if (!fd) throw_errno("create", "a socket");
        // A blocking connect waits for a place in the backlog; the send timeout bounds that wait.
        const int left = deadline.milliseconds();
        if (left >= 0) {
            const timeval limit{left / 1000, (left % 1000) * 1000 + 1};
            ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
        }
        if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
        if (errno == EINTR && !deadline.passed()) continue;
        throw_errno("connect to", path, errno == EAGAIN || errno == EINTR ? ETIMEDOUT : errno);
    }
}

}  // namespace

std::pair<Fd, Fd> make_packet_pair() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        throw_errno("create", "a socket pair");
    return {Fd(ends[0]), Fd(ends[1])};
}

Fd listen_unix(const std::string& path, mode_t mode, uid_t uid, gid_t gid) {
    return listen_at(path, SOCK_STREAM, mode, uid, gid);
}

Fd listen_packets(const std::string& path, mode_t mode) {
    return listen_at(path, SOCK_SEQPACKET, mode, static_cast<uid_t>(-1), static_cast<gid_t>(-1));
}

Fd connect_unix(const std::string& path, Deadline deadline) {
    return connect_to(path, SOCK_STREAM, deadline);
}

Fd connect_packets(const std::string& path, Deadline deadline) {
    return connect_to(path, SOCK_SEQPACKET, deadline);
}

Peer peer_of(int socket) {
    ucred credentials{};
    socklen_t size = sizeof credentials;
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0)
        throw_errno("learn", "the peer's identity");
    return {credentials.pid, credentials.uid, credentials.gid};
}

bool send_pending(int socket, std::string& data) {
    while (!data.empty()) {
        const ssize_t count = ::send(socket, data.data(), data.size(), MSG_NOSIGNAL);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return errno == EAGAIN;
        data.erase(0, static_cast<std::size_t>(count));
    }
    return true;
}

bool send_packet(int socket, std::string_view data, int fd_to_pass) {
    iovec part{const_cast<char*>(data.data()), data.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    if (fd_to_pass >= 0) {
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        std::memcpy(CMSG_DATA(header), &fd_to_pass, sizeof(int));
    }
    for (;;) {
        if (::sendmsg(socket, &message, MSG_NOSIGNAL) >= 0) return true;
        if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN) return false;
        if (errno != EINTR) throw_errno("send", "a packet");
    }
}

std::optional<Packet> receive_packet(int socket, std::size_t limit) {
    Packet packet;
    const std::span<char> room = packet_room(limit);
    iovec part{room.data(), room.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    message.msg_control = control;
    // Not a whole sizeof control, which has room for a second descriptor that nobody would close.
    message.msg_controllen = CMSG_LEN(sizeof(int));
    ssize_t count = 0;
    do {
        count = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    } while (count < 0 && errno == EINTR);
    if (count < 0 && errno == ECONNRESET) return std::nullopt;
    if (count < 0) throw_errno("receive", "a packet");
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
        packet.passed = Fd(fd);
    }
    if (count == 0) return std::nullopt;
    if ((message.msg_flags & MSG_TRUNC) != 0) throw_errno("receive", "a packet within its limit", EMSGSIZE);
    packet.data.assign(room.data(), static_cast<std::size_t>(count));
    // The room is used again; what was in it may not be the next one's to know.
    ::explicit_bzero(room.data(), static_cast<std::size_t>(count));
    return packet;
}

}  // namespace relais
