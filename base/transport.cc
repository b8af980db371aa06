#include "base/transport.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/io.h"

namespace relais {

std::size_t FdTransport::read_some(std::span<char> buffer, Deadline deadline) {
    return relais::read_some(fd_, buffer, deadline);
}

void FdTransport::write_all(std::string_view data, Deadline deadline) {
    relais::write_all(fd_, data, deadline);
}

Transport::Progress FdTransport::try_read(std::span<char> buffer) {
    for (;;) {
        ssize_t count = ::recv(fd_, buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (count < 0 && errno == ENOTSOCK) count = ::read(fd_, buffer.data(), buffer.size());
        if (count > 0) return {static_cast<std::size_t>(count), Wants::nothing, false};
        if (count == 0) return {0, Wants::nothing, true};
        if (errno == EAGAIN) return {0, Wants::read, false};
        if (errno != EINTR) throw_errno("read from", "the peer");
    }
}

Transport::Progress FdTransport::try_write(std::string_view data) {
    for (;;) {
        ssize_t count = ::send(fd_, data.data(), data.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (count < 0 && errno == ENOTSOCK) count = ::write(fd_, data.data(), data.size());
        if (count >= 0) return {static_cast<std::size_t>(count), Wants::nothing, false};
        if (errno == EAGAIN) return {0, Wants::write, false};
        if (errno != EINTR) throw_errno("write to", "the peer");
    }
}

}  // namespace relais
