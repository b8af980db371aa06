// What of a certificate a look at a public server compares. Pure.
#pragma once

#include <string>

#include "tls/dane.h"
#include "tls/openssl.h"

namespace relais::setup {

// The first one in a PEM text; nothing if there is none.
tls::X509Ptr certificate_in(const std::string& pem);
// SHA-256 of its public key, 64 hexadecimal digits; "" if there is none.
std::string key_hash(const std::string& pem);
// Whether a record of usage 3 is one of this certificate.
bool fits_certificate(const tls::Tlsa& record, const std::string& pem);

}  // namespace relais::setup
