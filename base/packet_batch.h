// Several packets of a SOCK_SEQPACKET socket with one system call: what comes in bursts is taken and given in
// bursts, and wakes the other side once.
#pragma once

#include <sys/socket.h>

#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"

namespace relais {

class PacketReader {
  public:
    // Takes at most that many packets of at most limit octets each in one call.
    PacketReader(std::size_t limit, std::size_t most);

    struct Packet {
        std::string_view data;  // until the next call; empty for one beyond the limit
        Fd passed;              // close-on-exec
    };
    // What waits; a blocking socket is waited for until there is one. None when a non-blocking socket has
    // none, or when the peer has closed: closed() tells. Throws Error.
    std::span<Packet> read(int socket);
    // The same without waiting, whatever the socket does.
    std::span<Packet> read_now(int socket);
    bool closed() const { return closed_; }

  private:
    std::span<Packet> read(int socket, int flags);

    struct alignas(cmsghdr) Control {
        char octets[CMSG_SPACE(sizeof(int))];
    };

    std::unique_ptr<char[]> room_;
    std::vector<mmsghdr> messages_;
    std::vector<iovec> parts_;
    std::vector<Control> controls_;
    std::vector<Packet> packets_;
    bool closed_ = false;
};

class PacketWriter {
  public:
    // Keeps the packet, and the descriptor that goes with it, until flush.
    void put(std::string packet, Fd passed = Fd());
    void put_borrowed(std::string packet, int passed);
    // How many have not been sent.
    std::size_t waiting() const { return packets_.size(); }
    // Sends what the socket takes now. False if it is full; waiting() tells what is left. What a peer that
    // has gone does not get is dropped, and gone() tells. Throws Error.
    bool flush(int socket);
    bool gone() const { return gone_; }

  private:
    struct Waiting {
        std::string data;
        Fd owned;
        int passed;  // -1: none
    };
    std::size_t send_some(int socket);

    std::deque<Waiting> packets_;
    bool gone_ = false;
};

}  // namespace relais
