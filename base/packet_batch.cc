#include "base/packet_batch.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace relais {
namespace {

constexpr std::size_t sent_at_once = 32;

struct alignas(cmsghdr) Attachment {
    char octets[CMSG_SPACE(sizeof(int))] = {};
};

void attach(msghdr& message, Attachment& control, int fd) {
    message.msg_control = control.octets;
    message.msg_controllen = sizeof control.octets;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
}

Fd descriptor_in(msghdr& message) {
    Fd passed;
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
        passed = Fd(fd);
    }
    return passed;
}

bool means_full(int error_number) {
    return error_number == EAGAIN || error_number == ENOBUFS || error_number == ENOMEM ||
           error_number == ETOOMANYREFS;
}

}  // namespace

// Limits are large and packets small: pages that no packet has filled yet take no memory.
PacketReader::PacketReader(std::size_t limit, std::size_t most)
    : room_(std::make_unique_for_overwrite<char[]>(limit * most)),
      messages_(most),
      parts_(most),
      controls_(most) {
    for (std::size_t i = 0; i < most; ++i) {
        parts_[i] = {room_.get() + i * limit, limit};
        messages_[i].msg_hdr.msg_iov = &parts_[i];
        messages_[i].msg_hdr.msg_iovlen = 1;
        messages_[i].msg_hdr.msg_control = controls_[i].octets;
    }
}

std::span<PacketReader::Packet> PacketReader::read(int socket) {
    return read(socket, MSG_WAITFORONE);
}

std::span<PacketReader::Packet> PacketReader::read_now(int socket) {
    return read(socket, MSG_DONTWAIT);
}

std::span<PacketReader::Packet> PacketReader::read(int socket, int flags) {
    packets_.clear();
    // Not sizeof(Control), which has room for a second descriptor that nobody would close.
    for (mmsghdr& message : messages_) message.msg_hdr.msg_controllen = CMSG_LEN(sizeof(int));
    int count = 0;
    do {
        count = ::recvmmsg(socket, messages_.data(), static_cast<unsigned>(messages_.size()),
                           flags | MSG_CMSG_CLOEXEC, nullptr);
    } while (count < 0 && errno == EINTR);
    closed_ = count < 0 && errno == ECONNRESET;
    if (closed_ || (count < 0 && errno == EAGAIN)) return {};
    if (count < 0) throw_errno("receive", "packets");
    for (int i = 0; i < count && !closed_; ++i) {
        mmsghdr& message = messages_[static_cast<std::size_t>(i)];
        const bool too_long = (message.msg_hdr.msg_flags & MSG_TRUNC) != 0;
        Packet packet{
            {static_cast<const char*>(message.msg_hdr.msg_iov->iov_base), too_long ? 0 : message.msg_len},
            descriptor_in(message.msg_hdr)};
        closed_ = message.msg_len == 0;
        if (!closed_) packets_.push_back(std::move(packet));
    }
    return packets_;
}

void PacketWriter::put(std::string packet, Fd passed) {
    const int number = passed.get();
    packets_.push_back({std::move(packet), std::move(passed), number});
}

void PacketWriter::put_borrowed(std::string packet, int passed) {
    packets_.push_back({std::move(packet), Fd(), passed});
}

// How many of the first ones the socket took; 0: errno says why.
std::size_t PacketWriter::send_some(int socket) {
    std::array<mmsghdr, sent_at_once> messages{};
    std::array<iovec, sent_at_once> parts{};
    std::array<Attachment, sent_at_once> controls;
    const std::size_t most = std::min(sent_at_once, packets_.size());
    for (std::size_t i = 0; i < most; ++i) {
        parts[i] = {packets_[i].data.data(), packets_[i].data.size()};
        messages[i].msg_hdr.msg_iov = &parts[i];
        messages[i].msg_hdr.msg_iovlen = 1;
        if (packets_[i].passed >= 0) attach(messages[i].msg_hdr, controls[i], packets_[i].passed);
    }
    int count = 0;
    do {
        count = ::sendmmsg(socket, messages.data(), static_cast<unsigned>(most), MSG_NOSIGNAL);
    } while (count < 0 && errno == EINTR);
    return count < 0 ? 0 : static_cast<std::size_t>(count);
}

bool PacketWriter::flush(int socket) {
    while (!packets_.empty()) {
        const std::size_t sent = send_some(socket);
        if (sent > 0) {
            packets_.erase(packets_.begin(), packets_.begin() + static_cast<std::ptrdiff_t>(sent));
            continue;
        }
        if (means_full(errno)) return false;
        gone_ = errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN;
        if (!gone_) throw_errno("send", "packets");
        packets_.clear();
    }
    return true;
}

}  // namespace relais
