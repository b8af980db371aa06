// A client as the acceptor hands it to a session process: one packet, with the connected socket beside it.
// Both ends are of one program, forked from one another; the packet holds what the acceptor knows, and
// nothing that the client has sent.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/socket.h"

namespace relais::listen {

using Variables = std::vector<std::pair<std::string, std::string>>;

// How a client's session begins.
enum class Beginning : char {
    greeting = 'g',  // the session says the greeting
    greeted = 's',   // the acceptor has said it
    tls = 't',       // with a handshake
};

struct Visitor {
    net::Endpoint peer;
    net::Endpoint local;
    Beginning beginning = Beginning::greeting;
    Variables rule{};         // what the rule for its address sets
    std::string note{};       // of the service's own (Service::note)
    bool last = false;        // the process serves nobody after it
    bool in_a_crowd = false;  // places are scarce: it gets less time
    bool nameless = false;    // peer is a proxy that does not say whose connection it is
    bool filtered = false;    // another packet follows, with the channel to the runner of its filter

    bool operator==(const Visitor&) const = default;
};

// The largest packet: what does not fit cannot be handed over.
inline constexpr std::size_t visitor_limit = 65536;

// Fields that end with a NUL; a NUL within one ends it (no address, name or variable of the environment has
// one).
std::string encode(const Visitor& visitor);
// Throws a bug Error for what encode() does not make.
Visitor decode_visitor(std::string_view packet);

// What a session process may be used again for: the same neighbourhood and the same rule.
std::string key_of(const Visitor& visitor);

// As tcpserver sets them, and behind them the rule's; of a nameless one, nothing of the peer. name:
// $TCPLOCALHOST.
Variables variables_of(const Visitor& visitor, const std::string& name);

}  // namespace relais::listen
