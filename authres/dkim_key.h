// DKIM's keys: the records that publish them (RFC 6376, 3.6.1; RFC 8463), and what they verify and sign.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "tls/openssl.h"

namespace relais::authres {

enum class KeyType { rsa, ed25519 };
// "rsa", "ed25519".
std::string_view to_text(KeyType type);
// "rsa-sha256", "ed25519-sha256".
std::string_view algorithm_of(KeyType type);

// RFC 8301: shorter RSA keys prove nothing. Longer ones than the second cost too much.
inline constexpr int least_rsa_bits = 1024;
inline constexpr int most_rsa_bits = 8192;

struct KeyRecord {
    KeyType type = KeyType::rsa;
    std::string key;              // decoded; empty: revoked
    bool testing = false;         // t=y
    bool exact_identity = false;  // t=s: i= has no subdomain of d=
};
// The reason why a record is of no use.
struct BadKey {
    std::string reason;
};
// A TXT record. Pure.
std::variant<KeyRecord, BadKey> parse_key_record(std::string_view text);

class PublicKey {
  public:
    // RSA as SubjectPublicKeyInfo or RSAPublicKey, Ed25519 as 32 octets.
    static std::variant<PublicKey, BadKey> make(KeyType type, std::string_view key);

    // True if signature is one of this hash (SHA-256, 32 octets).
    bool verify(std::string_view hash, std::string_view signature) const;
    int bits() const;

  private:
    PublicKey(KeyType type, tls::KeyPtr key) : type_(type), key_(std::move(key)) {}
    KeyType type_;
    tls::KeyPtr key_;
};

// Who signs: a private key, or somebody who has it.
class SigningKey {
  public:
    SigningKey() = default;
    SigningKey(const SigningKey&) = delete;
    SigningKey& operator=(const SigningKey&) = delete;
    virtual ~SigningKey() = default;
    virtual KeyType type() const = 0;
    // A signature of this hash (SHA-256, 32 octets). Throws Error.
    virtual std::string sign(std::string_view hash) = 0;
};

class PrivateKey final : public SigningKey {
  public:
    // PEM: PKCS #8 or PKCS #1. Throws a permanent Error for what is no such key of RSA (1024 bits or more) or
    // Ed25519; name is for the text.
    static std::unique_ptr<PrivateKey> parse(std::string_view pem, std::string_view name);
    // 32 octets.
    static std::unique_ptr<PrivateKey> from_ed25519_seed(std::string_view seed);
    // RSA: 2048 bits. Throws Error.
    static std::unique_ptr<PrivateKey> make(KeyType type);

    KeyType type() const override { return type_; }
    std::string sign(std::string_view hash) override;
    // PKCS #8. Throws Error.
    std::string pem() const;
    // What p= of the record has, not yet encoded. Throws Error.
    std::string public_key() const;
    int bits() const;

  private:
    PrivateKey(KeyType type, tls::KeyPtr key) : type_(type), key_(std::move(key)) {}
    KeyType type_;
    tls::KeyPtr key_;
};

}  // namespace relais::authres
