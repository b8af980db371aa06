// A private key that is elsewhere, as OpenSSL sees it: a small built-in provider ("relais") whose keys of the
// types RSA, EC and ED25519 have a public half and a name; signing calls a function. OpenSSL's own provider
// stays the first choice for everything else.
#pragma once

#include <functional>
#include <string>

#include "keyd/protocol.h"
#include "tls/openssl.h"

namespace relais::keyd {

// Signs, or throws; called from within a handshake of this process.
using Signer = std::function<std::string(const Signing& signing)>;
void set_signer(Signer signer);

// The key that belongs to a certificate. Throws Error for a type that is none of the three.
tls::KeyPtr make_remote_key(X509* certificate);

}  // namespace relais::keyd
