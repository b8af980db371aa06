// SCRAM-SHA-256 (RFC 5802, RFC 7677): its messages, its arithmetic, and the verifier that a server stores in
// place of a password. Names and passwords are octets: what is outside ASCII is taken as it was given, as in
// PLAIN, without SASLprep. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sasl/secret.h"

namespace relais::sasl {

inline constexpr std::size_t scram_digest_size = 32;
using ScramDigest = std::array<unsigned char, scram_digest_size>;

// What a new verifier gets. A server that asks for more than the limit, or for less than RFC 7677 allows, is
// not answered.
inline constexpr std::uint32_t scram_iterations = 32768;
inline constexpr std::uint32_t scram_least_iterations = 4096;
inline constexpr std::uint32_t scram_most_iterations = 2000000;
// Of each side, in characters; and of a salt, in octets.
inline constexpr std::size_t scram_nonce_limit = 128;
inline constexpr std::size_t scram_salt_limit = 64;

// What is stored: it lets nobody log in elsewhere, but whoever has it can guess passwords, and can play the
// server.
struct ScramVerifier {
    std::string salt;  // octets
    std::uint32_t iterations = 0;
    ScramDigest stored_key{};
    ScramDigest server_key{};

    bool operator==(const ScramVerifier&) const = default;
};
// Throws Error if OpenSSL fails.
ScramVerifier make_scram_verifier(std::string_view password, std::string_view salt, std::uint32_t iterations);
// "SCRAM-SHA-256$ITERATIONS:SALT$STOREDKEY:SERVERKEY", as RFC 5803 has it.
std::string format_scram_verifier(const ScramVerifier& verifier);
std::optional<ScramVerifier> parse_scram_verifier(std::string_view text);

// messages: client-first-bare "," server-first "," client-final-without-proof. proof: 32 octets. Compares in
// constant time.
bool scram_proof_fits(const ScramVerifier& verifier, std::string_view messages, std::string_view proof);
// What the server shows in its last message: it knows the verifier too. Octets.
std::string scram_server_signature(const ScramVerifier& verifier, std::string_view messages);
// The client's proof, and the signature that the server must show.
struct ScramProof {
    std::string proof;
    std::string server_signature;
};
ScramProof make_scram_proof(std::string_view password, std::string_view salt, std::uint32_t iterations,
                            std::string_view messages);

// RFC 5802's saslname: ',' is "=2C", '=' is "=3D". Nothing for what is wrong, empty, or has a NUL.
std::optional<std::string> decode_saslname(std::string_view text);
std::string encode_saslname(std::string_view name);

// "n,a=AUTHZID,n=USER,r=NONCE". Optional extensions behind the nonce are let pass; a mandatory one ("m=") is
// refused.
struct ClientFirst {
    std::string_view header;  // with both commas
    char binding = 'n';  // 'n' no, 'y' the client could but believes that we cannot, 'p' see binding_type
    std::string_view binding_type;
    std::string authorization;
    std::string user;
    std::string_view nonce;
    std::string_view bare;  // what follows the header
};
std::optional<ClientFirst> parse_client_first(std::string_view message);

// "r=NONCE,s=SALT,i=ITERATIONS"
struct ServerFirst {
    std::string_view nonce;
    std::string salt;  // octets
    std::uint32_t iterations = 0;
};
std::optional<ServerFirst> parse_server_first(std::string_view message);
std::string format_server_first(std::string_view nonce, std::string_view salt, std::uint32_t iterations);

// "c=BINDING,r=NONCE,p=PROOF"
struct ClientFinal {
    std::string binding;  // octets: the header, and the binding's data
    std::string_view nonce;
    std::string proof;  // octets
    std::string_view without_proof;
};
std::optional<ClientFinal> parse_client_final(std::string_view message);

// A nonce from the system's random source: 24 printable characters without commas.
std::string new_scram_nonce();

}  // namespace relais::sasl
