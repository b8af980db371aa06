// One connection from its environment to its end: what qmail-smtpd does under tcpserver, and what each child
// of the listener does.
#pragma once

#include "control/home.h"
#include "keyd/server_tls.h"
#include "smtpd/authority.h"
#include "smtpd/client.h"
#include "smtpd/policy.h"
#include "smtpd/session.h"
#include "smtpd/settings.h"

namespace relais::smtpd {

// Serves the client on descriptors 0 and 1. known: what logins are offered.
void serve(const control::Home& home, const Settings& settings, Policy& policy, const Client& client,
           keyd::ServerTls& tls, Beginning beginning, const KnownOffers& known);

// Reads the control files first; a client whose settings cannot be read is told to come back (421), and the
// Error goes on to the caller.
void serve_standalone(const control::Home& home, Beginning beginning);

}  // namespace relais::smtpd
