// Who starts the filters of a listener's clients: programs that the rules or the environment name in the
// service's variable ($QMAILQUEUE). They are foreign code, so they run as a user of their own (qmailf), and
// the processes that speak with clients stay confined and run nothing.
//
//   guardian  root, as long as there is a keeper or an acceptor. It reads nothing from anybody; it starts a
//             runner when the acceptor has said something, and another one when that has died.
//   runner    qmailf. It hears from the acceptor who a client is (visitor.h), and from that client's session,
//             over a socket of its own, when the filter is to start (queue/filter_protocol.h). Which program
//             it is, and its environment, the acceptor alone says; a session that was taken over can start its
//             client's filter and no other program. It ends when there is no client for a while.
//
// Filters can kill the runner, for they are of the same user: the messages that are with filters then are
// deferred. Where control/owners is older than the role it is qmaild's, and where nobody is root it is the
// user who is there.
#pragma once

#include <string>
#include <string_view>

#include "base/fd.h"
#include "control/home.h"
#include "listen/visitor.h"

namespace relais::listen {

// Forks the guardian, before the keeper has a socket and gives up root. Returns the end of the channel on
// which acceptors introduce clients. Throws Error.
Fd start_filter_guardian(std::string_view service, const control::Home& home, std::string_view variable);

// In the acceptor: introduces the client to the runner; name: $TCPLOCALHOST. Returns the end for its session.
// Throws Error.
Fd introduce(int runner, const Visitor& visitor, const std::string& name);

// The program that variables name; where they are silent, that of the environment. Empty if there is none.
std::string program_named(std::string_view variable, const Variables& variables,
                          std::string_view of_environment);

}  // namespace relais::listen
