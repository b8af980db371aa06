#include "queue/frame_reader.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/io.h"
#include "base/octets.h"
#include "queue/protocol.h"

namespace relais::queue {
namespace {

constexpr std::string_view family = "RQ";
constexpr std::size_t header_size = 4;
constexpr std::size_t length_size = 4;

bool wait(int socket, Deadline deadline) {
    try {
        return wait_readable(socket, deadline);
    } catch (const Error&) {
        return false;
    }
}

}  // namespace

FrameReader::Input FrameReader::fill(Deadline deadline, std::size_t at_most) {
    const std::size_t room = std::min(buffer_.size() - end_, at_most);
    for (;;) {
        // A client that keeps the protocol has sent all of a small message by now, so there is mostly no need
        // to wait.
        ssize_t count = ::recv(socket_, buffer_.data() + end_, room, MSG_DONTWAIT);
        if (count < 0 && errno == ENOTSOCK) count = ::read(socket_, buffer_.data() + end_, room);
        if (count > 0) {
            end_ += static_cast<std::size_t>(count);
            // Also a peer that sends an octet a minute comes to an end.
            return deadline.passed() ? Input::timed_out : Input::more;
        }
        if (count == 0) return Input::ended;
        if (errno == EINTR) continue;
        if (errno != EAGAIN) return Input::ended;
        if (!wait(socket_, deadline)) return Input::timed_out;
    }
}

void FrameReader::rewind() {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
}

FrameReader::Input FrameReader::read_header(Header& header, Deadline deadline) {
    while (untouched().size() < header_size)
        if (const Input input = fill(deadline, io_buffer_size); input != Input::more) return input;
    const std::string_view octets = untouched().substr(0, header_size);
    const char version = octets[family.size()];
    if (!octets.starts_with(family) || (version != '1' && version != '2')) return Input::malformed;
    const char flag = octets.back();
    const bool question = version == '2' && flag == '?';
    if (flag != 's' && flag != 'l' && flag != 'S' && flag != 'L' && !question) return Input::malformed;
    header = {flag == 'l' || flag == 'L', flag == 'S' || flag == 'L', version == '2', question};
    begin_ += header_size;
    return Input::more;
}

std::string_view FrameReader::take() {
    if (group_ended_ || malformed_) return {};
    if (frame_left_ == 0) {
        if (untouched().size() < length_size) return {};
        frame_left_ = get_le(untouched(), 0, length_size);
        begin_ += length_size;
        group_ended_ = frame_left_ == 0;
        malformed_ = frame_left_ > frame_limit;
        if (group_ended_ || malformed_) return {};
    }
    const std::string_view octets = untouched().substr(0, frame_left_);
    frame_left_ -= octets.size();
    begin_ += octets.size();
    return octets;
}

}  // namespace relais::queue
