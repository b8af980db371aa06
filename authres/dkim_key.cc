#include "authres/dkim_key.h"

#include <openssl/rsa.h>

#include "authres/tag_list.h"
#include "base/text.h"

namespace relais::authres {
namespace {

const unsigned char* octets(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

// RFC 6376 asks for RSAPublicKey in its words and shows SubjectPublicKeyInfo in its examples; the latter is
// what there is.
tls::KeyPtr read_rsa(std::string_view key) {
    const auto size = static_cast<long>(key.size());
    const unsigned char* at = octets(key);
    tls::KeyPtr result(d2i_PUBKEY(nullptr, &at, size));
    if (!result) {
        at = octets(key);
        result.reset(d2i_PublicKey(EVP_PKEY_RSA, nullptr, &at, size));
    }
    (void)tls::take_errors("");
    if (result && at != octets(key) + size) result.reset();
    return result;
}

}  // namespace

std::string_view to_text(KeyType type) {
    return type == KeyType::rsa ? "rsa" : "ed25519";
}

std::string_view algorithm_of(KeyType type) {
    return type == KeyType::rsa ? "rsa-sha256" : "ed25519-sha256";
}

std::variant<KeyRecord, BadKey> parse_key_record(std::string_view text) {
    const auto tags = TagList::parse(text);
    if (!tags) return BadKey{"the key record has a syntax error"};
    const auto version = tags->find("v");
    if (version && (*version != "DKIM1" || tags->tags().front().first != "v"))
        return BadKey{"the key record is not of version DKIM1"};
    KeyRecord record;
    const std::string_view type = tags->find("k").value_or("rsa");
    if (type != "rsa" && type != "ed25519") return BadKey{"the key record is of an unknown type"};
    if (type == "ed25519") record.type = KeyType::ed25519;
    if (const auto hashes = tags->find("h"); hashes && !lists(*hashes, "sha256"))
        return BadKey{"the key record does not allow sha256"};
    if (const auto services = tags->find("s");
        services && !lists(*services, "email") && !lists(*services, "*"))
        return BadKey{"the key is not for mail"};
    const std::string_view flags = tags->find("t").value_or("");
    record.testing = lists(flags, "y");
    record.exact_identity = lists(flags, "s");
    const auto key = tags->find("p");
    if (!key) return BadKey{"the key record has no key"};
    auto decoded = decode_folded_base64(*key);
    if (!decoded) return BadKey{"the key record's key is not base64"};
    record.key = *std::move(decoded);
    return record;
}

std::variant<PublicKey, BadKey> PublicKey::make(KeyType type, std::string_view key) {
    tls::initialise();
    if (key.empty()) return BadKey{"the key was revoked"};
    if (type == KeyType::ed25519) {
        tls::KeyPtr result(key.size() == 32
                               ? EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, octets(key), 32)
                               : nullptr);
        (void)tls::take_errors("");
        if (!result) return BadKey{"the key record's key is no Ed25519 key"};
        return PublicKey(type, std::move(result));
    }
    tls::KeyPtr result = read_rsa(key);
    if (!result || EVP_PKEY_get_base_id(result.get()) != EVP_PKEY_RSA)
        return BadKey{"the key record's key is no RSA key"};
    const int bits = EVP_PKEY_get_bits(result.get());
    if (bits < least_rsa_bits) return BadKey{"the RSA key has only " + std::to_string(bits) + " bits"};
    if (bits > most_rsa_bits) return BadKey{"the RSA key has " + std::to_string(bits) + " bits, too many"};
    return PublicKey(type, std::move(result));
}

int PublicKey::bits() const {
    return EVP_PKEY_get_bits(key_.get());
}

bool PublicKey::verify(std::string_view hash, std::string_view signature) const {
    bool right = false;
    if (type_ == KeyType::ed25519) {
        const tls::DigestPtr context(EVP_MD_CTX_new());
        right = context && EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1 &&
                EVP_DigestVerify(context.get(), octets(signature), signature.size(), octets(hash),
                                 hash.size()) == 1;
    } else {
        using ContextPtr = std::unique_ptr<EVP_PKEY_CTX, tls::Release<EVP_PKEY_CTX_free>>;
        const ContextPtr context(EVP_PKEY_CTX_new(key_.get(), nullptr));
        right = context && EVP_PKEY_verify_init(context.get()) == 1 &&
                EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_PADDING) == 1 &&
                EVP_PKEY_CTX_set_signature_md(context.get(), EVP_sha256()) == 1 &&
                EVP_PKEY_verify(context.get(), octets(signature), signature.size(), octets(hash),
                                hash.size()) == 1;
    }
    (void)tls::take_errors("");
    return right;
}

}  // namespace relais::authres
