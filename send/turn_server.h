// qmail-send's end of send/turn_protocol.h: takes a packet of each client, and tells which domains are to
// have their turn.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/event_loop.h"
#include "base/fd.h"
#include "control/control_file.h"

namespace relais::send {

// Which domains may have a turn, and when they had one. Pure.
class Turns {
  public:
    void allow(control::DomainSet domains) { allowed_ = std::move(domains); }
    // The domain in the form in which domains are compared; nothing if it is not to have a turn now. now: of
    // the monotonic clock.
    std::string take(std::string_view domain, Clock::time_point now);

    // A suffix in control/etrn allows any name below it: so many are remembered.
    static constexpr std::size_t most = 1000;

  private:
    control::DomainSet allowed_;
    std::unordered_map<std::string, Clock::time_point> had_;
};

class TurnServer {
  public:
    using Ask = std::function<void(std::string_view domain)>;

    // listener is borrowed. ask is called for each packet, whatever is in it.
    TurnServer(EventLoop& loop, int listener, Ask ask);

  private:
    void accept_clients();
    void take(int fd);
    void close(int fd);

    EventLoop& loop_;
    int listener_;
    Ask ask_;
    std::deque<Fd> clients_;  // the oldest first
};

// Whether the descriptor listens for packets: an older qmail-start gives none.
bool listens_for_turns(int fd);

}  // namespace relais::send
