// What qmail-qmtpd and qmail-qmqpd have in common: a client on descriptors 0 and 1, as tcpserver starts them.
#pragma once

#include <functional>

#include "control/home.h"
#include "policy/client.h"
#include "qmtp/intake.h"
#include "smtpd/settings.h"

namespace relais::qmtp {

// Becomes qmaild where it is root, reads the settings, enters the cage unless $QMAILQUEUE is set, and serves.
// The exit code: 0 the client was served or has gone; 100 it does not speak the protocol; 111 it was silent
// for too long, or something of ours is missing.
int serve_client(const control::Home& home,
                 const std::function<void(const smtpd::Settings& settings, const policy::Client& client,
                                          const OpenSink& open_sink)>& serve);

}  // namespace relais::qmtp
