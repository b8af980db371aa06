// The message of one delivery: a part of a file that others only read. It is read by position, for
// descriptors passed between processes share their offset.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/fd.h"

namespace relais::remote {

class Message {
  public:
    // size octets of fd, borrowed, from offset on.
    Message(int fd, std::uint64_t offset, std::uint64_t size) : fd_(fd), offset_(offset), size_(size) {}

    // Calls visit with the message in DATA's form, in pieces of about 64 KiB, the final dot included at the
    // end of the last one. Throws Error if the message cannot be read.
    void encode(const std::function<void(std::string_view piece, bool last)>& visit) const;

    // The same without added dots and the final one: what a signature is over. It ends early when visit
    // answers false.
    void read_wire(const std::function<bool(std::string_view piece)>& visit) const;

    // Fields that go before the message, lines ended by CR LF, from now on counted and encoded with it. name:
    // of the domain that signed them.
    void precede_with(std::string fields, std::string name);
    const std::string& front() const { return front_; }
    // Whose signature goes with it; "" without one.
    const std::string& signed_by() const { return signed_by_; }

    std::uint64_t size() const { return size_; }

    struct Scan {
        bool eight_bit = false;
        bool eight_bit_header = false;
        std::uint64_t wire_size = 0;  // octets by RFC 1870: with CR LF, without added dots and the final one
    };
    // Reads it once. Throws Error.
    const Scan& scan();

    // Whether its header says TLS-Required: No (remote/requiretls.h); one beyond a mebibyte is not looked
    // through. Throws Error.
    bool needs_no_tls() const;

  private:
    // Calls visit for each block until it answers false; then the answer is false. Throws Error.
    bool read(const std::function<bool(std::string_view)>& visit) const;

    int fd_;
    std::uint64_t offset_;
    std::uint64_t size_;
    bool scanned_ = false;
    Scan scan_;
    std::string encoded_;  // a small message, kept from its scan
    std::string front_;
    std::string signed_by_;
};

// A message that comes on a descriptor of any kind: a file from its offset on; anything else is copied into
// memory first. Throws Error.
struct MessageInput {
    Fd copy;  // if one was needed
    int fd;
    std::uint64_t offset;
    std::uint64_t size;
};
MessageInput message_input(int fd);

}  // namespace relais::remote
