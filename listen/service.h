// What a listener serves: a protocol's part, asked by the acceptor. A listener is two processes:
//
//   the keeper    binds the sockets (as root where the port wants it), becomes qmaild, and from then on only
//                 starts the acceptor again when that has ended (keeper.h). It reads nothing from anybody.
//   the acceptor  is confined, accepts, decides by rules and limits, and greets. It reads nothing from
//                 clients; of a proxy that is listed it reads the header (proxy_room.h). When a client says something, it is handed to a session process: a spare one,
//                 made before it was needed, or one that has served a client of the same neighbourhood and
//                 rule before (processes.h). Session processes share its address layout; so when one of
//                 them has crashed, it ends, and the keeper executes a new one after a pause. Processes that
//                 serve clients go on, and the sockets stay open in the keeper.
//
// A confined process cannot run programs that rules or the environment name, which may be setuid ones. The
// runner of filters does that for it, as another user (filter_runner.h). Who has a filter has a process for
// himself.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/event_loop.h"
#include "listen/reuse.h"
#include "listen/visitor.h"

namespace relais::listen {

// Why a client is turned away.
enum class Refusal {
    too_many,               // -c
    too_many_from_address,  // --per-ip, control/perip, PERIP
    denied,                 // a rule says so
    not_a_proxy,            // it came where proxies alone may come, and is none of ours
    not_introduced,         // a proxy that did not say, or not well, whose connection it is
    our_trouble,            // rules or control files cannot be read, no process to be had
    silent,                 // nothing came from it in its time
};

// The source of a limit that a rule sets for its addresses: it holds whatever else is said.
inline constexpr std::string_view rule_limit = "PERIP in the rules";

class Service {
  public:
    virtual ~Service() = default;

    // The program's name, for ps(1).
    virtual std::string_view name() const = 0;
    // The variable of rules and environment that names a program to be run.
    virtual std::string_view program_variable() const = 0;
    // Whose changes refresh() must see, beside the rules'.
    virtual std::vector<std::string> directories() const = 0;

    // Before confinement: what it wants to hear of is watched by the loop, which it borrows. changed: to be
    // called when processes that exist already know something that holds no more.
    virtual void watch(EventLoop& loop, std::function<void()> changed) = 0;
    // Forgets what was read, so that refresh() reads everything.
    virtual void reload() = 0;
    // Puts this process into the cage that is this service's (control/cages.h) for good; rules: directories
    // that the listener goes on reading. Throws Error.
    virtual void confine(const std::vector<std::string>& rules) = 0;
    // Whether it may say, where --proxy has it asked, whose connection it brings. As refresh() left it.
    virtual bool is_proxy(const std::string& ip) const = 0;
    // Before each client: reads what has changed. True if something has. Throws Error.
    virtual bool refresh() = 0;

    // How many clients of one neighbourhood may be here at once, of so many places. rule: the variables that
    // the rule for this one sets.
    struct Limit {
        std::size_t clients = 0;  // 0: no limit
        std::string source{};     // what sets it: for the log
    };
    virtual Limit limit_of_one(const Variables& rule, std::size_t places) const = 0;

    // As refresh() left them: $TCPLOCALHOST; what a client hears first, without its CRLF; how long it may
    // think about that; what a process may be used again for.
    virtual std::string local_name() const = 0;
    virtual std::string greeting() const = 0;
    virtual std::chrono::milliseconds patience(bool in_a_crowd) const = 0;
    // How long the greeting is kept back from a client under that rule; who cannot wait for it is handed over
    // without one.
    virtual std::chrono::milliseconds greeting_delay(const Variables& rule) const = 0;
    virtual Reuse reuse() const = 0;
    // What a session should know beside what it has read: goes with each client (Visitor::note).
    virtual std::string note() const = 0;
    // The line that tells a client so, without its CRLF; empty: nothing is said. It has been logged, with the
    // detail.
    virtual std::string refuse(const net::Endpoint& peer, Refusal why, std::string_view detail) = 0;

    // In a session process: serves the client to its end. True if the process may serve another one: it has
    // held no secret and seen nothing odd. filters: the channel of the runner for this client's filter; -1:
    // it has none. Throws Error.
    virtual bool serve(int connection, const Variables& variables, const Visitor& visitor, int filters) = 0;
};

}  // namespace relais::listen
