// The octets of one connection to a server, as they are or under TLS. While it writes it also reads, so that
// a server that answers a pipelined group late, or complains in the middle of the data, never leaves both
// sides waiting for each other.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "base/fd.h"
#include "remote/smtp_reply.h"
#include "tls/connection.h"

namespace relais::remote {

class Wire {
  public:
    // fd: a connected, non-blocking socket.
    explicit Wire(Fd fd) : fd_(std::move(fd)) {}

    // Throws Error: the connection died, or the deadline passed (ETIMEDOUT).
    void write(std::string_view data, Deadline deadline);
    // The same while the server is silent; false, and at least the last octet unsent, once it has spoken. So
    // what it says then is not an answer to these octets.
    bool write_in_silence(std::string_view data, Deadline deadline);
    // The next reply, all of it by the deadline. Throws Error as write does.
    Reply read_reply(Deadline deadline);
    // The next octet. Throws as read_reply does.
    char read_octet(Deadline deadline);
    // A reply that has already come, or comes within a moment: for the last words of a server that hung up.
    // Code 0 if none.
    Reply last_words();
    // True if everything the server has said, as far as it was read, was an answer.
    bool is_answered() const { return !ended_ && begin_ == input_.size(); }
    // True if an idle server has neither spoken nor closed.
    bool is_quiet();
    // Octets of the server's have come that nobody has read.
    bool has_unread() const { return begin_ < input_.size(); }

    // From here on everything goes over that connection, which is one over fd(). What came before and was not
    // read is dropped.
    void switch_to(std::unique_ptr<tls::Connection> connection);
    // Nothing if not under TLS.
    const tls::Connection* tls() const { return tls_.get(); }
    // Ends TLS properly, without waiting.
    void shut_down();

    int fd() const { return fd_.get(); }

  private:
    struct Step {
        bool moved = false;  // octets came or went
        short events = 0;    // else: what to poll for before the next try
    };
    Step receive();
    // Returns when more has come, or the end.
    void await_more(Deadline deadline);
    Step send(std::string_view& data);

    Fd fd_;
    std::unique_ptr<tls::Connection> tls_;
    std::string input_;
    std::size_t begin_ = 0;
    bool ended_ = false;
};

}  // namespace relais::remote
