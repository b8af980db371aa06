// What a listener serves: a protocol's part, asked by the acceptor. A listener is two processes:
//
//   the keeper    binds the sockets (as root where the port wants it), becomes qmaild, and from then on only
//                 starts the acceptor again when that has ended (keeper.h). It reads nothing from anybody.
//   the acceptor  is confined, accepts, decides by rules and limits, greets, and forks one child for each connection. It reads
//                 nothing from clients. Children share its address layout; so when one of them has crashed, it ends, and the
//                 keeper executes a new one after a pause. Children that serve clients go on, and the sockets stay open in
//                 the keeper.
//
// A confined process cannot run programs that rules or the environment name, which may be setuid ones. An
// acceptor whose environment or rules name one is therefore not confined; when the rules begin to, it ends
// and the keeper starts one that is not.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/event_loop.h"
#include "net/socket.h"

namespace relais::listen {

using Variables = std::vector<std::pair<std::string, std::string>>;

// Why a client is turned away.
enum class Refusal {
    too_many,               // -c
    too_many_from_address,  // --per-ip
    denied,                 // a rule says so
    our_trouble,            // rules or control files cannot be read, no process to be had
};

// How a client's session begins.
enum class Beginning {
    greeting,  // the session says the greeting
    greeted,   // the acceptor has said it
    tls,       // with a handshake
};

class Service {
  public:
    virtual ~Service() = default;

    // The program's name, for ps(1).
    virtual std::string_view name() const = 0;
    // The variable of rules and environment that names a program to be run.
    virtual std::string_view program_variable() const = 0;
    // Whose changes refresh() must see, beside the rules'.
    virtual std::vector<std::string> directories() const = 0;

    // Before confinement: what it wants to hear of is watched by the loop, which it borrows.
    virtual void watch(EventLoop& loop) = 0;
    // Forgets what was read, so that refresh() reads everything.
    virtual void reload() = 0;
    // Before each client: reads what has changed. Throws Error.
    virtual void refresh() = 0;

    // As refresh() left them: $TCPLOCALHOST, and what a client hears first, without its CRLF.
    virtual std::string local_name() const = 0;
    virtual std::string greeting() const = 0;
    // The line that tells a client so, without its CRLF. It has been logged.
    virtual std::string refuse(const net::Endpoint& peer, Refusal why) = 0;

    // In the child: serves the client on descriptors 0 and 1 to its end. Throws Error.
    virtual void serve(const Variables& variables, Beginning beginning) = 0;
};

}  // namespace relais::listen
