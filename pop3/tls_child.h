// POP3 changes users by exec, and TLS cannot pass through one: it lives in a child that is confined, runs as
// qmaild, and passes clear octets over a socket pair.
#pragma once

#include "keyd/server_tls.h"

namespace relais::pop3 {

// Makes descriptors 0 and 1 one end of a socket pair, behind which a child speaks TLS with the client that
// was there. The child ends when either side does; octets come from it only after a handshake, so whoever
// reads them has an encrypted client. Throws Error: nothing was changed.
void put_tls_before_client(const control::Home& home, keyd::ServerTls& tls);

}  // namespace relais::pop3
