// The socket under a TLS connection, as OpenSSL's BIO calls it. The waiting is done here, so that OpenSSL
// need not be entered again and every octet is under the deadline. What TLS writes is held until it has to
// leave, so that a handshake's last words, a reply and the end of TLS go as one packet where they come
// together.
#pragma once

#include <openssl/bio.h>

#include <string>

#include "base/deadline.h"

namespace relais::tls {

struct SocketBio {
    // What a call may do when the socket has nothing, or takes nothing more.
    enum class Mode {
        waiting,   // wait until the deadline; writes are held until a read or flush()
        trying,    // come back (BIO_should_retry)
        buffered,  // reads do not even ask the socket
    };

    int fd;
    Mode mode = Mode::waiting;
    // The socket blocks, for as long as its own timeouts say: reads need not poll first. Each wait may pass
    // the deadline by that.
    bool socket_waits = false;
    std::size_t may_read = 0;  // octets, of a try
    Deadline deadline = Deadline::never();
    bool timed_out = false;
    bool ended = false;
    int error = 0;
    std::string held{};

    // Prepares for one call.
    void begin(Mode how, Deadline until = Deadline::never());
    // Sends what is held: all of it, or as much as the socket takes where waiting is not allowed. False: see
    // timed_out and error, or (trying) the socket takes no more now.
    bool flush();
    // What all BIOs of this kind share, made at the first call. Throws Error for want of memory.
    static BIO_METHOD* method();
    // For SSL_set_bio, both ways. Borrows this. Throws Error for want of memory.
    BIO* make_bio();

  private:
    static SocketBio& of(BIO* bio);
    bool wait(short events);
    template <class Call>
    int move(short events, bool poll_first, Call call);
    int send(const char* data, std::size_t size);
    int read(BIO* bio, char* buffer, int size);
    int write(BIO* bio, const char* data, int size);
};

}  // namespace relais::tls
