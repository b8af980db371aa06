// Where a message's body waits while milters look at it: in memory as long as it is small, then in a file
// without a name, which goes with the process.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/fd.h"

namespace relais::milter {

class Spool {
  public:
    // Beyond it there is a file.
    static constexpr std::size_t memory_limit = std::size_t{256} << 10;

    // directory: of the file.
    explicit Spool(std::string directory) : directory_(std::move(directory)) {}
    // Throws Error: the disk is full, or there is no such directory.
    void append(std::string_view text);
    std::uint64_t size() const { return size_; }
    // So many octets from there, fewer only at the end; valid until the next call. Throws Error.
    std::string_view read(std::uint64_t offset, std::size_t count);
    bool ends_line() const { return size_ == 0 || last_ == '\n'; }

  private:
    void write_out(std::string_view text);

    std::string directory_;
    std::string memory_;
    Fd file_;
    std::uint64_t written_ = 0;  // to the file
    std::uint64_t size_ = 0;
    char last_ = '\n';
    std::string piece_;
};

}  // namespace relais::milter
