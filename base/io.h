// Reading and writing with deadlines, 64 KiB at a time, and lines found with memchr.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"

namespace relais {

class Transport;

inline constexpr std::size_t io_buffer_size = 65536;

// Waits until fd can be read (or has ended). False when the deadline passed first. Throws Error.
bool wait_readable(int fd, Deadline deadline);
// Waits until fd can be written. False when the deadline passed first. Throws Error.
bool wait_writable(int fd, Deadline deadline);

// Reads at most buffer.size() octets, at least one unless the input ended (0). Works on blocking and
// non-blocking descriptors. Throws Error; the errno is ETIMEDOUT when the deadline passed.
std::size_t read_some(int fd, std::span<char> buffer, Deadline deadline);

// Writes everything. Throws Error; ETIMEDOUT when the deadline passed. SIGPIPE must be ignored by the
// program.
void write_all(int fd, std::string_view data, Deadline deadline);

// Reads to the end of the input, at most limit octets. Throws Error; EFBIG when there is more.
std::string read_to_end(int fd, std::size_t limit, Deadline deadline);

// Reads exactly buffer.size() octets. False if the input ended before the first; throws Error if it ended
// within.
bool read_exactly(int fd, std::span<char> buffer, Deadline deadline);

// A buffered input: one read(2) of up to 64 KiB at a time.
class Reader {
  public:
    // Borrows fd for its lifetime.
    explicit Reader(int fd) : fd_(fd) {}
    // Borrows the transport for its lifetime.
    explicit Reader(Transport& transport) : transport_(&transport) {}

    // True if octets are waiting in the buffer (or decrypted, in the transport): a reply may be held back
    // until the group is answered.
    bool has_buffered() const;
    // What is buffered and not yet consumed; valid until the next call.
    std::string_view buffered() const { return {buffer_.data() + begin_, end_ - begin_}; }
    void consume(std::size_t count) { begin_ += count; }
    // Drops everything that was read ahead, and reads from transport from now on (a switch to TLS). Borrows
    // it.
    void switch_to(Transport& transport) {
        begin_ = end_ = 0;
        transport_ = &transport;
    }
    // Reads more into the buffer; false at the end of the input. Throws Error as read_some does.
    // The buffer holds at most 64 KiB: when it is full, the caller must consume first (throws a bug Error).
    bool fill(Deadline deadline);

    enum class Line { complete, ended, too_long };
    // Takes one line, up to and including LF, into line without the LF. The rest of an overlong line (more
    // than limit octets) is skipped and too_long returned. ended: the input ended; line has what came after
    // the last LF.
    Line read_line(std::string& line, std::size_t limit, Deadline deadline);

  private:
    int fd_ = -1;
    Transport* transport_ = nullptr;  // instead of fd_
    std::vector<char> buffer_;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

}  // namespace relais
