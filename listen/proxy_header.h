// The header by which a proxy in front of us says whose connection it passes on: version 1 and 2 of the PROXY
// protocol (haproxy's proxy-protocol.txt, 2.1 and 2.2). Pure; takes the octets in whatever pieces they come.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "net/socket.h"

namespace relais::listen {

class ProxyHeader {
  public:
    // A line of version 1 with its CRLF.
    static constexpr std::size_t line_limit = 107;
    // Addresses and TLVs of version 2.
    static constexpr std::size_t block_limit = 4096;

    enum class State {
        open,      // more must come
        complete,  // the next octet is the client's
        wrong,     // it is no header, or one over the limits
    };
    // Takes the next octets; returns how many of them are the header's: all, unless its end was among them.
    std::size_t feed(std::string_view input);
    State state() const { return state_; }

    // Of a complete one.
    struct Connection {
        net::Endpoint client;
        net::Endpoint local;  // where the client has connected to
    };
    // Nothing where it does not say: LOCAL (the proxy's own connection, a check of health), UNKNOWN, and
    // families that are not TCP over IP.
    const std::optional<Connection>& connection() const { return connection_; }

  private:
    std::size_t wanted() const;
    void look();
    void look_at_line();
    void look_at_block();

    std::string header_;
    State state_ = State::open;
    std::optional<Connection> connection_;
};

}  // namespace relais::listen
