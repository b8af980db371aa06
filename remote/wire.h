// The octets of one connection to a server. While it writes it also reads, so that a server that answers a pipelined
// group late, or complains in the middle of the data, never leaves both sides waiting for each other.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "base/fd.h"
#include "base/transport.h"
#include "remote/smtp_reply.h"

namespace relais::remote {

class Wire {
  public:
    // fd: a connected, non-blocking socket.
    explicit Wire(Fd fd) : fd_(std::move(fd)), transport_(std::make_unique<FdTransport>(fd_.get())) {}

    // Throws Error: the connection died, or the deadline passed (ETIMEDOUT).
    void write(std::string_view data, Deadline deadline);
    // The next reply, all of it by the deadline. Throws Error as write does.
    Reply read_reply(Deadline deadline);
    // A reply that has already come, or comes within a moment: for the last words of a server that hung up. Code 0 if none.
    Reply last_words();
    // True if everything the server has said, as far as it was read, was an answer.
    bool is_answered() const { return !ended_ && begin_ == input_.size(); }
    // True if an idle server has neither spoken nor closed.
    bool is_quiet();

    // Drops every octet the server has sent so far, and speaks through transport (over fd()) from now on: a switch to
    // TLS.
    void switch_to(std::unique_ptr<Transport> transport);

    int fd() const { return fd_.get(); }

  private:
    Transport::Progress receive();
    void wait_and_receive(Deadline deadline);

    Fd fd_;
    std::unique_ptr<Transport> transport_;
    bool encrypted_ = false;
    std::string input_;
    std::size_t begin_ = 0;
    bool ended_ = false;
};

}  // namespace relais::remote
