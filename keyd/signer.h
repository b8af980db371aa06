// What qmail-keyd does with a private key. Nothing but this file and key_store.h touches one.
#pragma once

#include <string>

#include "keyd/protocol.h"
#include "tls/openssl.h"

namespace relais::keyd {

// The signature; nothing if the key, the digest and the padding do not belong together. Throws Error.
std::optional<std::string> sign(EVP_PKEY* key, const Signing& signing);

}  // namespace relais::keyd
