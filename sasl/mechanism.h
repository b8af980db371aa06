// The SASL mechanisms that we know, on either side. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace relais::sasl {

enum class Mechanism {
    plain,               // RFC 4616
    login,               // draft-murchison-sasl-login: user and password, each asked for
    cram_md5,            // RFC 2195
    scram_sha_256,       // RFC 5802, RFC 7677
    scram_sha_256_plus,  // the same, bound to the TLS connection
    xoauth2,             // Google's and Microsoft's bearer tokens
    oauthbearer,         // RFC 7628
};

// "SCRAM-SHA-256-PLUS" and so on.
std::string_view name_of(Mechanism mechanism);
// Without regard to case.
std::optional<Mechanism> mechanism_named(std::string_view name);

// PLAIN, LOGIN and the bearer tokens: who sees the dialogue can log in himself.
bool shows_the_secret(Mechanism mechanism);

// What ties a login to the TLS connection that it travels in (RFC 5929, RFC 9266).
struct ChannelBinding {
    std::string type;  // "tls-exporter", "tls-server-end-point"
    std::string data;  // octets
};

}  // namespace relais::sasl
