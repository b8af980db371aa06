// The connection as a session sees it: command lines and message octets in, replies out. Replies wait until
// the client's own octets are used up, so that a pipelined group (RFC 2920) is answered in one write. This is
// the only place of a session that reads or writes the network.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "base/error.h"
#include "base/transport.h"

namespace relais::smtpd {

// The client has gone, or was too slow (ETIMEDOUT): all other Errors of a session are our own trouble.
class ClientLost : public Error {
  public:
    explicit ClientLost(int error_number);
    bool timed_out() const { return number() == ETIMEDOUT; }
};

class Channel {
  public:
    // Borrows both descriptors. timeout bounds each wait for the client; a whole command line is bounded by
    // twice that.
    Channel(int in, int out, std::chrono::seconds timeout);
    // Overwrites what the client has sent.
    ~Channel();
    Channel(const Channel&) = delete;
    Channel& operator=(const Channel&) = delete;

    // Another one, from now on.
    void set_timeout(std::chrono::seconds timeout);

    enum class Line {
        complete,  // ended by CRLF
        bare,      // ended by LF alone
        ended,     // the client has closed; an unfinished line is no line
        too_long,  // more than the limit: skipped up to its end
        endless,   // still no end after a megabyte: give the client up
    };
    // Takes one line, without its end, valid until the next call. Throws ClientLost.
    Line read_line(std::string_view& line, std::size_t limit);

    // True if the client says something within that time.
    bool has_input_within(std::chrono::milliseconds time) const;

    // Octets of a message that are there, after waiting for some if none are; never empty. Throws
    // ClientLost, also when the client has closed: a message without its end was never sent.
    std::string_view read_data();
    // Marks this many octets of read_data as used.
    void consume(std::size_t count) { begin_ += count; }

    // Overwrites what has been used: a password may have been in it.
    void wipe_used();

    // Appends a reply line (the CRLF is added); it is written when the client has nothing more to say.
    void reply(std::string_view text);
    // Writes what waits. Throws ClientLost.
    void flush();
    // The same, and the end of TLS with it.
    void finish();
    // From now on what is written leaves together with the end of the connection (FIN), which must follow at
    // once: one packet for both. As before where the client has sent more than was read, for closing then
    // drops what has not left.
    void end_with_last_reply();

    // Drops every octet the client has sent so far, and speaks through transport from now on (a switch to
    // TLS). Borrows it. Replies must have been flushed.
    void switch_to(Transport& transport);
    // The kernel bounds each wait by itself.
    bool kernel_waits() const { return kernel_waits_; }

  private:
    std::size_t receive(char* to, std::size_t size, Deadline deadline);
    std::string_view buffered() const { return {buffer_.get() + begin_, end_ - begin_}; }
    bool fill(Deadline deadline);
    std::size_t receive_decrypted(char* to, std::size_t size, Deadline deadline);
    template <class Send>
    void send_encrypted(Send send);

    int in_;
    int out_;
    std::chrono::seconds timeout_;
    bool kernel_waits_;               // the sockets carry the timeout: no poll before each read
    Transport* transport_ = nullptr;  // instead of the descriptors
    // Not from new: where delete overwrites what it is given, a short session would touch all of it at its
    // end.
    struct Release {
        void operator()(char* buffer) const { std::free(buffer); }
    };
    std::unique_ptr<char[], Release> buffer_;
    std::size_t touched_ = 0;  // so much of it has ever been written to
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    std::string output_;
};

}  // namespace relais::smtpd
