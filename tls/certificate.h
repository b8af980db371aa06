// What is said of a certificate: in logs, in decisions, and as a channel binding. Pure.
#pragma once

#include <string>
#include <vector>

#include "tls/openssl.h"

namespace relais::tls {

// "CN=mail.example.org,O=Example" (RFC 2253: most specific first, escaped; printable ASCII only).
std::string subject(X509* certificate);
std::string issuer(X509* certificate);
// The addresses of mail in its subject and subjectAltName.
std::vector<std::string> mail_addresses(X509* certificate);
// SHA-256 of the certificate (DER), 64 lower-case hexadecimal digits.
std::string fingerprint(X509* certificate);
// SHA-256 of the public key (SubjectPublicKeyInfo, DER), 32 octets: what names a key, whatever certificate it
// is in.
std::string public_key_hash(X509* certificate);
// The channel binding tls-server-end-point (RFC 5929, 4.1): the certificate's hash by its own signature's
// hash function, SHA-256 for MD5 and SHA-1; empty where the signature has no single hash function (Ed25519).
std::string end_point_binding(X509* certificate);

}  // namespace relais::tls
