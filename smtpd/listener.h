// The listener: what tcpserver does, for SMTP alone and without an exec for each connection. Two processes:
//
//   the keeper    binds the sockets (as root where the port wants it), becomes qmaild, and from then on only
//                 starts the acceptor again when that has ended. It reads nothing from anybody.
//   the acceptor  is confined, accepts, decides by rules and limits, and forks one child for each connection.
//                 Children share its address layout; so when one of them has crashed, it ends, and the keeper
//                 executes a new one after a pause. Children that serve clients go on, and the sockets stay
//                 open in the keeper.
//
// A confined process cannot run $QMAILQUEUE, which may be a setuid program. An acceptor whose environment or
// rules set that variable is therefore not confined; when the rules begin to, it ends and the keeper starts
// one that is not.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/program.h"
#include "control/home.h"
#include "net/socket.h"

namespace relais::smtpd {

// What a client is told that a rule denies, and every client while rules or control files cannot be read.
inline constexpr std::string_view denied = "554 no SMTP service for your address (#5.7.1)";
inline constexpr std::string_view our_trouble = "421 unable to serve you now, try again later (#4.3.0)";

struct ListenerOptions {
    std::vector<net::Endpoint> addresses;  // -l
    std::optional<std::string> rules;      // -x
    std::size_t connection_limit = 1000;   // -c
    std::size_t address_limit = 0;         // --per-ip; 0: none
    bool tls = false;                      // --tls: before the greeting
    std::vector<int> sockets;              // --sockets: we are an acceptor, and these are the keeper's
};

// Without -l there is no listener: one client on descriptors 0 and 1. Throws a permanent Error with the usage for anything that is not understood.
ListenerOptions parse_options(const Arguments& arguments);

// Run until SIGTERM; both return the exit code. Throw Error when the sockets, rules or control files cannot
// be used.
int run_keeper(const control::Home& home, const ListenerOptions& options, const Arguments& arguments);
int run_acceptor(const control::Home& home, const ListenerOptions& options);

}  // namespace relais::smtpd
