// Clients that have been greeted and have said nothing yet: they cost a descriptor each and no process.
// Nothing is read from them.
#pragma once

#include <functional>
#include <list>

#include "base/event_loop.h"
#include "listen/visitor.h"

namespace relais::listen {

class WaitingRoom {
  public:
    struct Client {
        Fd connection;
        Visitor visitor;
    };
    using Handler = std::function<void(Client client)>;
    // Borrows the loop. speaks: something has come from it. left: it has gone without a word. silent: its
    // time is over.
    WaitingRoom(EventLoop& loop, Handler speaks, Handler left, Handler silent)
        : loop_(loop), speaks_(std::move(speaks)), left_(std::move(left)), silent_(std::move(silent)) {}

    // Waits that long for the client's first octet. Throws Error, and the connection is closed.
    void add(Client client, std::chrono::milliseconds patience);
    // From now on nobody has waited longer than that.
    void shorten(std::chrono::milliseconds patience);
    std::size_t count() const { return clients_.size(); }
    // Takes out one of those that wait.
    Client take_any();

  private:
    struct Waiting {
        Client client;
        Clock::time_point since;
        EventLoop::TimerId timer;
    };
    using Place = std::list<Waiting>::iterator;
    void look(Place place);
    Client take(Place place);

    EventLoop& loop_;
    Handler speaks_;
    Handler left_;
    Handler silent_;
    std::list<Waiting> clients_;
};

}  // namespace relais::listen
