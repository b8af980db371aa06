// Connections of proxies that have not yet said whose they are. What a proxy says is read here, in the
// acceptor: rules and limits are its client's. Of the client nothing is read.
#pragma once

#include <functional>
#include <list>

#include "base/event_loop.h"
#include "base/fd.h"
#include "listen/proxy_header.h"

namespace relais::listen {

class ProxyRoom {
  public:
    struct Introduced {
        Fd connection;
        net::Endpoint proxy;
        std::optional<ProxyHeader::Connection> client;  // nothing where the proxy does not say
    };
    using Handler = std::function<void(Introduced introduced)>;
    using Failure = std::function<void(const net::Endpoint& proxy, std::string_view what)>;
    // Borrows the loop. wrong: no header came, or none that holds; the connection is closed without a word.
    ProxyRoom(EventLoop& loop, Handler introduced, Failure wrong)
        : loop_(loop), introduced_(std::move(introduced)), wrong_(std::move(wrong)) {}

    // Waits that long for the whole header. Throws Error, and the connection is closed.
    void add(Fd connection, const net::Endpoint& proxy, std::chrono::milliseconds patience);
    std::size_t count() const { return waiting_.size(); }

  private:
    struct Waiting {
        Fd connection;
        net::Endpoint proxy;
        ProxyHeader header;
        EventLoop::TimerId timer;
    };
    using Place = std::list<Waiting>::iterator;
    void look(Place place);
    Waiting take(Place place);
    void refuse(Place place, std::string_view what);

    EventLoop& loop_;
    Handler introduced_;
    Failure wrong_;
    std::list<Waiting> waiting_;
};

}  // namespace relais::listen
