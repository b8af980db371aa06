// The message of one delivery: the first octets of a regular file that is not ours to change.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/fd.h"

namespace relais::local {

class Message {
  public:
    // Borrows fd, a regular file of at least size octets; its offset is neither used nor moved.
    Message(int fd, std::uint64_t size) : fd_(fd), size_(size) {}

    std::uint64_t size() const { return size_; }
    // The first 64 KiB or less; read once. Throws a temporary Error "Unable to read message: ...".
    std::string_view start() const;
    // Calls use with the message in pieces of at most 64 KiB, in order. Throws a temporary Error.
    void each_piece(const std::function<void(std::string_view)>& use) const;
    // True if the header has this very line (which ends in LF). Throws a temporary Error.
    bool header_has(std::string_view line) const;
    // A file of its own in memory with the message alone, at its beginning, close-on-exec: for a program's fd
    // 0, which may seek in it. Throws a temporary Error.
    Fd copy() const;

  private:
    std::string_view read_piece(std::string& buffer, std::uint64_t offset) const;

    int fd_;
    std::uint64_t size_;
    mutable std::string start_;
};

}  // namespace relais::local
