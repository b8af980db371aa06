// Packets on their way to a peer that may be slow: what the socket does not take at once waits here.
#pragma once

#include <deque>
#include <string>
#include <string_view>

#include "base/event_loop.h"

namespace relais::local {

class PacketQueue {
  public:
    // Borrows both. The socket is watched for reading by its owner, who calls flush when it can be written.
    PacketQueue(EventLoop& loop, int socket) : loop_(loop), socket_(socket) {}

    // Sends the packet, now or later. What a peer that has gone does not get is dropped.
    void send(std::string packet);
    void flush();

  private:
    bool send_now(std::string_view packet) const;

    EventLoop& loop_;
    int socket_;
    std::deque<std::string> waiting_;
};

}  // namespace relais::local
