#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "authres/dkim_key.h"
#include "base/error.h"

namespace relais::authres {
namespace {

using BioPtr = std::unique_ptr<BIO, tls::Release<BIO_free_all>>;
using ContextPtr = std::unique_ptr<EVP_PKEY_CTX, tls::Release<EVP_PKEY_CTX_free>>;

[[noreturn]] void fail(std::string_view verb) {
    throw Error(Reaction::temporary,
                "unable to " + std::string(verb) + ": " + tls::take_errors("no reason given"));
}

// Keys with a passphrase are not for servers.
int no_passphrase(char*, int, int, void*) {
    return -1;
}

const unsigned char* octets(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

std::unique_ptr<PrivateKey> PrivateKey::parse(std::string_view pem, std::string_view name) {
    tls::initialise();
    const BioPtr memory(
        BIO_new_mem_buf(pem.data(), static_cast<int>(std::min<std::size_t>(pem.size(), 65536))));
    if (!memory) fail("read a key");
    tls::KeyPtr key(PEM_read_bio_PrivateKey(memory.get(), nullptr, no_passphrase, nullptr));
    const std::string why = tls::take_errors("no key");
    if (!key) throw_permanent("unable to read the key in " + std::string(name) + ": " + why);
    const int id = EVP_PKEY_get_base_id(key.get());
    if (id != EVP_PKEY_RSA && id != EVP_PKEY_ED25519)
        throw_permanent("the key in " + std::string(name) + " is of neither RSA nor Ed25519");
    if (id == EVP_PKEY_RSA && EVP_PKEY_get_bits(key.get()) < least_rsa_bits)
        throw_permanent("the RSA key in " + std::string(name) +
                        " has less than 1024 bits: nobody would accept it");
    return std::unique_ptr<PrivateKey>(
        new PrivateKey(id == EVP_PKEY_RSA ? KeyType::rsa : KeyType::ed25519, std::move(key)));
}

std::unique_ptr<PrivateKey> PrivateKey::from_ed25519_seed(std::string_view seed) {
    tls::initialise();
    tls::KeyPtr key(seed.size() == 32
                        ? EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, octets(seed), 32)
                        : nullptr);
    if (!key) throw_permanent("a seed of Ed25519 has 32 octets");
    return std::unique_ptr<PrivateKey>(new PrivateKey(KeyType::ed25519, std::move(key)));
}

std::unique_ptr<PrivateKey> PrivateKey::make(KeyType type) {
    tls::initialise();
    const ContextPtr context(
        EVP_PKEY_CTX_new_id(type == KeyType::rsa ? EVP_PKEY_RSA : EVP_PKEY_ED25519, nullptr));
    EVP_PKEY* made = nullptr;
    if (!context || EVP_PKEY_keygen_init(context.get()) != 1 ||
        (type == KeyType::rsa && EVP_PKEY_CTX_set_rsa_keygen_bits(context.get(), 2048) != 1) ||
        EVP_PKEY_keygen(context.get(), &made) != 1)
        fail("make a key");
    return std::unique_ptr<PrivateKey>(new PrivateKey(type, tls::KeyPtr(made)));
}

std::string PrivateKey::sign(std::string_view hash) {
    std::size_t size = static_cast<std::size_t>(EVP_PKEY_get_size(key_.get()));
    std::string signature(size, '\0');
    auto* out = reinterpret_cast<unsigned char*>(signature.data());
    bool done = false;
    if (type_ == KeyType::ed25519) {
        const tls::DigestPtr context(EVP_MD_CTX_new());
        done = context && EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1 &&
               EVP_DigestSign(context.get(), out, &size, octets(hash), hash.size()) == 1;
    } else {
        const ContextPtr context(EVP_PKEY_CTX_new(key_.get(), nullptr));
        done = context && EVP_PKEY_sign_init(context.get()) == 1 &&
               EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_PADDING) == 1 &&
               EVP_PKEY_CTX_set_signature_md(context.get(), EVP_sha256()) == 1 &&
               EVP_PKEY_sign(context.get(), out, &size, octets(hash), hash.size()) == 1;
    }
    if (!done) fail("sign");
    signature.resize(size);
    return signature;
}

std::string PrivateKey::pem() const {
    const BioPtr memory(BIO_new(BIO_s_mem()));
    if (!memory ||
        PEM_write_bio_PKCS8PrivateKey(memory.get(), key_.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
        fail("write a key");
    char* data = nullptr;
    const long size = BIO_get_mem_data(memory.get(), &data);
    return {data, static_cast<std::size_t>(size)};
}

std::string PrivateKey::public_key() const {
    unsigned char* made = nullptr;
    if (type_ == KeyType::rsa) {
        const int size = i2d_PUBKEY(key_.get(), &made);
        if (size <= 0) fail("write a public key");
        std::string result(reinterpret_cast<char*>(made), static_cast<std::size_t>(size));
        OPENSSL_free(made);
        return result;
    }
    std::string result(32, '\0');
    std::size_t size = result.size();
    if (EVP_PKEY_get_raw_public_key(key_.get(), reinterpret_cast<unsigned char*>(result.data()), &size) != 1)
        fail("write a public key");
    return result;
}

int PrivateKey::bits() const {
    return EVP_PKEY_get_bits(key_.get());
}

}  // namespace relais::authres
