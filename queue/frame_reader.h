// The server's side of queue/protocol.h: takes header and frames from a socket (or a file of the drop
// directory) through a buffer that its
// caller lends, so that a small submission is received with one call and written from where it lies.
#pragma once

#include <span>
#include <string_view>

#include "base/deadline.h"

namespace relais::queue {

class FrameReader {
  public:
    // What the peer did. Errors of a socket count as ended: there is nobody left to answer.
    enum class Input { more, ended, timed_out, malformed };

    // Borrows both for its lifetime. received: so many octets are in the buffer already.
    FrameReader(int socket, std::span<char> buffer, std::size_t received = 0)
        : socket_(socket), buffer_(buffer), end_(received) {}

    // Receives more; what was taken stays where it is. The buffer must not be full.
    Input fill(Deadline deadline, std::size_t at_most = SIZE_MAX);
    bool full() const { return end_ == buffer_.size(); }
    // Makes room again: what take() gave is no longer valid.
    void rewind();

    struct Header {
        bool large = false;
        bool named_by_pid = false;
        bool extended = false;  // version 2
        bool question = false;  // only whether version 2 is known
    };
    // Takes the header, receiving what is missing of it.
    Input read_header(Header& header, Deadline deadline);

    // The next octets of this group as far as they are in the buffer; nothing if there are none (fill, or the
    // group has ended, or its frames are malformed). Valid until rewind().
    std::string_view take();
    bool group_ended() const { return group_ended_; }
    bool malformed() const { return malformed_; }
    void next_group() { group_ended_ = false; }

    // Everything in the buffer, header included while nothing has been rewound: to hand a connection over.
    std::string_view received() const { return {buffer_.data(), end_}; }

  private:
    std::string_view untouched() const { return {buffer_.data() + begin_, end_ - begin_}; }

    int socket_;
    std::span<char> buffer_;
    std::size_t begin_ = 0;
    std::size_t end_;
    std::size_t frame_left_ = 0;
    bool group_ended_ = false;
    bool malformed_ = false;
};

}  // namespace relais::queue
