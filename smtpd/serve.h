// One connection from its environment to its end: what qmail-smtpd does under tcpserver, and what each child
// of the listener does for each of its clients.
#pragma once

#include <memory>

#include "control/home.h"
#include "keyd/server_tls.h"
#include "policy/client.h"
#include "policy/policy.h"
#include "smtpd/authority.h"
#include "smtpd/session.h"
#include "smtpd/settings.h"
#include "trace/client.h"

namespace relais::smtpd {

// What a session needs of the process that holds it; borrowed.
struct Surroundings {
    const control::Home& home;
    const Settings& settings;
    policy::Policy& policy;
    keyd::ServerTls& tls;
    const KnownOffers& known;        // what logins are offered
    Session::Meet meet{};            // those for whom a front end speaks, where that can be
    int filters = -1;                // the channel of the runner of this client's filter, if it has one
    trace::Client* trace = nullptr;  // who is told what happened, if anybody is
};

// Serves the client that is connected by these descriptors to its end. True if it left nothing that the
// next one in this process must not come near: Session::spent().
// in_a_crowd: places are scarce, so that it must not be silent for long between its commands
// (control/stresstimeout).
bool serve(const Surroundings& here, int in, int out, const policy::Client& client, Beginning beginning,
           bool in_a_crowd = false);

// Writes the event into the log, and tells qmail-traced.
void tell(const Event& event, trace::Client* trace);
// Who is told of what happens here.
std::unique_ptr<trace::Client> trace_client(const control::Home& home);

// Reads the control files first; a client whose settings cannot be read is told to come back (421), and the
// Error goes on to the caller.
void serve_standalone(const control::Home& home, Beginning beginning);

}  // namespace relais::smtpd
