// Packets on their way to a peer that may be slow: what has gathered is sent together, and what the socket
// does not take waits here.
#pragma once

#include <string>

#include "base/event_loop.h"
#include "base/packet_batch.h"

namespace relais {

class PacketQueue {
  public:
    // Borrows both. The socket is watched for reading by its owner, who calls on_writable when it can be
    // written.
    PacketQueue(EventLoop& loop, int socket) : loop_(loop), socket_(socket) {}

    // What a peer that has gone does not get is dropped.
    void add(std::string packet) { packets_.put(std::move(packet)); }
    // Sends what has been added, now or later: to be called before each wait.
    void flush();
    void on_writable();

  private:
    EventLoop& loop_;
    int socket_;
    PacketWriter packets_;
    bool full_ = false;
};

}  // namespace relais
