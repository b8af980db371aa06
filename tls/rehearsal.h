// Handshakes without a network, for processes that fork for each client.
#pragma once

#include "tls/context.h"

namespace relais::tls {

// Speaks TLS with itself in memory: a new session and a resumed one of TLS 1.3, a new one of TLS 1.2. OpenSSL
// looks its algorithms up when they are first needed; what is found here, no child has to find again. The
// server's callbacks are called as for any client. Says whether TLS 1.3 was spoken and resumed; changes
// nothing else, throws only for want of memory.
bool rehearse(const ServerContext& server);

}  // namespace relais::tls
