#include "tls/context.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/error.h"
#include "base/overwriting_memory.h"

namespace relais::tls {
namespace {

using BioPtr = std::unique_ptr<BIO, Release<BIO_free_all>>;

// Forward secrecy and authenticated encryption only.
constexpr char default_ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20";
// Of TLS 1.3, the cheapest first: a handshake is mostly hashing, and processors help with SHA-256.
constexpr char server_suites[] = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
// The cheapest first; a client that starts with another of them is not made to try again. Those of the
// library's default follow.
constexpr char groups[] = "X25519:P-256:P-384:X448:P-521:ffdhe2048:ffdhe3072:ffdhe4096:ffdhe6144:ffdhe8192";
// From this version on OpenSSL's default has an order of that kind, with X25519MLKEM768 in front.
constexpr unsigned long own_order_until = 0x30500000;

[[noreturn]] void fail(std::string_view what) {
    throw Error(Reaction::permanent, "unable to " + std::string(what) + ": " + take_errors("out of memory"));
}

SslCtxPtr make(const SSL_METHOD* method, const Protocol& protocol) {
    initialise();
    SslCtxPtr context(SSL_CTX_new(method));
    if (!context) fail("prepare TLS");
    SSL_CTX* const raw = context.get();
    if (SSL_CTX_set_min_proto_version(raw, protocol.minimum) != 1) fail("set the lowest version of TLS");
    // OpenSSL's level 2 has no hash functions for what came before 1.2.
    if (protocol.minimum < TLS1_2_VERSION) SSL_CTX_set_security_level(raw, 0);
    const char* ciphers = protocol.ciphers.empty() ? default_ciphers : protocol.ciphers.c_str();
    if (SSL_CTX_set_cipher_list(raw, ciphers) != 1) fail("use the ciphers \"" + std::string(ciphers) + "\"");
    if (OpenSSL_version_num() < own_order_until && SSL_CTX_set1_groups_list(raw, groups) != 1)
        fail("set the groups");
    // A password may be among what was decrypted.
    SSL_CTX_set_options(raw, SSL_OP_CLEANSE_PLAINTEXT | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE);
    // Record buffers stay for the next record: who gives one back overwrites all 16 KiB of it for each
    // record, though a short record has touched a page or two.
    SSL_CTX_set_mode(raw, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(raw, 1);
    SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
    return context;
}

BioPtr view(std::string_view text) {
    BioPtr memory(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
    if (!memory) fail("read a certificate");
    return memory;
}

}  // namespace

void initialise() {
    static const bool done =
        OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, nullptr) == 1;
    if (!done) throw Error(Reaction::temporary, "unable to start OpenSSL");
}

void overwrite_freed_memory() {
#ifndef RELAIS_SANITIZED
    CRYPTO_set_mem_functions(
        [](std::size_t size, const char*, int) { return allocate_memory(size); },
        [](void* block, std::size_t size, const char*, int) { return resize_memory(block, size); },
        [](void* block, const char*, int) { release_memory(block); });
#endif
}

std::string take_errors(std::string_view fallback) {
    // The first is the cause, what follows says through which functions it came.
    const unsigned long code = ERR_get_error();
    ERR_clear_error();
    if (code == 0) return std::string(fallback);
    if (ERR_SYSTEM_ERROR(code)) return errno_text(ERR_GET_REASON(code));
    if (ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) >= SSL_AD_REASON_OFFSET &&
        ERR_reason_error_string(code) == nullptr)
        return "alert " + std::to_string(ERR_GET_REASON(code) - SSL_AD_REASON_OFFSET);
    const char* reason = ERR_reason_error_string(code);
    return reason != nullptr ? reason : "OpenSSL's error " + std::to_string(code);
}

std::optional<int> parse_version(std::string_view text) {
    if (text == "1.0") return TLS1_VERSION;
    if (text == "1.1") return TLS1_1_VERSION;
    if (text == "1.2") return TLS1_2_VERSION;
    if (text == "1.3") return TLS1_3_VERSION;
    return std::nullopt;
}

ServerContext::ServerContext(const Protocol& protocol) : context_(make(TLS_server_method(), protocol)) {
    if (SSL_CTX_set_ciphersuites(context_.get(), server_suites) != 1) fail("set the cipher suites");
    // A client that puts ChaCha20 first has no AES in its processor.
    SSL_CTX_set_options(context_.get(), SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_num_tickets(context_.get(), 1);
    SSL_CTX_set_dh_auto(context_.get(), 1);
}

void ServerContext::use_certificate(std::string_view chain_pem, std::string_view key_pem) {
    const BioPtr chain = view(chain_pem);
    const X509Ptr leaf(PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr));
    const BioPtr key_text = view(key_pem);
    const KeyPtr key(PEM_read_bio_PrivateKey(key_text.get(), nullptr, nullptr, nullptr));
    if (!leaf || !key) fail("read a certificate and its key");
    if (SSL_CTX_use_cert_and_key(context_.get(), leaf.get(), key.get(), nullptr, 1) != 1)
        fail("use a certificate");
    while (X509Ptr next{PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr)})
        if (SSL_CTX_add1_chain_cert(context_.get(), next.get()) != 1) fail("use a chain of certificates");
    ERR_clear_error();  // the end of the text
}

ClientContext::ClientContext(const Protocol& protocol) : context_(make(TLS_client_method(), protocol)) {
    // Only then may a connection have TLSA records.
    if (SSL_CTX_dane_enable(context_.get()) != 1) fail("prepare DANE");
}

}  // namespace relais::tls
