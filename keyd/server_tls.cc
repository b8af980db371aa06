#include "keyd/server_tls.h"

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <cstring>

#include "base/error.h"
#include "control/control_file.h"
#include "control/setting.h"
#include "keyd/remote_key.h"
#include "tls/rehearsal.h"

namespace relais::keyd {
namespace {

// qmail-keyd answers at once, or after the second that its restart takes.
constexpr std::chrono::seconds patience{6};
constexpr std::chrono::seconds rehearsal_patience{2};
constexpr long session_lifetime = 21600;
// A client may show many tickets, and each is a question to qmail-keyd.
constexpr unsigned tickets_tried = 3;

struct FreeChain {
    void operator()(STACK_OF(X509) * chain) const { sk_X509_pop_free(chain, X509_free); }
};
using ChainPtr = std::unique_ptr<STACK_OF(X509), FreeChain>;

[[noreturn]] void fail(std::string_view what) {
    throw Error(Reaction::temporary,
                "unable to " + std::string(what) + ": " + tls::take_errors("out of memory"));
}

tls::X509Ptr parse(const std::string& der) {
    const auto* at = reinterpret_cast<const unsigned char*>(der.data());
    tls::X509Ptr certificate(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
    if (!certificate) fail("read a certificate of qmail-keyd's");
    return certificate;
}

// use: SSL_use_cert_and_key or its like for contexts.
template <class Target>
void install(const Chain& chain, Target* target,
             int (*use)(Target*, X509*, EVP_PKEY*, STACK_OF(X509) *, int)) {
    const tls::X509Ptr own = parse(chain.certificates.front());
    const tls::KeyPtr key = make_remote_key(own.get());
    const ChainPtr rest(sk_X509_new_null());
    for (std::size_t i = 1; i < chain.certificates.size(); ++i)
        if (sk_X509_push(rest.get(), parse(chain.certificates[i]).release()) <= 0) fail("use a certificate");
    if (use(target, own.get(), key.get(), rest.get(), 1) != 1) fail("use a certificate");
}

// Whoever shows a certificate is told apart by it, not turned away: what it may do is decided later. Its
// session cannot be resumed, so that no ticket ever stands for a certificate.
int take_any_client(int, X509_STORE_CTX* store) {
    auto* const ssl =
        static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    SSL_set_num_tickets(ssl, 0);
    return 1;
}

void ask_for_client_certificates(SSL_CTX* context, const std::string& file) {
    STACK_OF(X509_NAME)* const names = SSL_load_client_CA_file(file.c_str());
    if (names == nullptr || SSL_CTX_load_verify_file(context, file.c_str()) != 1) fail("read " + file);
    SSL_CTX_set_client_CA_list(context, names);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE, take_any_client);
}

bool set_mac_key(EVP_MAC_CTX* mac, const unsigned char* key) {
    char digest[] = "SHA256";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, const_cast<unsigned char*>(key), 32),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end()};
    return EVP_MAC_CTX_set_params(mac, parameters) == 1;
}

tls::Protocol read_protocol(const control::Home& home) {
    tls::Protocol protocol;
    protocol.ciphers = control::read<"tlsserverciphers">(home);
    const std::string text = control::read<"tlsminversion">(home);
    const auto version = tls::parse_version(text);
    if (!version) throw_permanent("control/tlsminversion is none of 1.0, 1.1, 1.2, 1.3: " + text);
    protocol.minimum = *version;
    return protocol;
}

}  // namespace

ServerTls::ServerTls(control::Home home) : home_(home), client_(std::move(home)) {}

bool ServerTls::offered() {
    if (!chain_) {
        try {
            chain_ = client_.certificate_for("", Deadline::in(patience));
        } catch (const Error& error) {
            trouble_ = error.what();
            if (log_) log_(trouble_);
            chain_.emplace();
        }
        // Sessions without TLS hold no connection to it.
        client_.disconnect();
    }
    return !chain_->certificates.empty();
}

std::unique_ptr<tls::ServerContext> ServerTls::make_context(const Chain& chain) {
    auto context = std::make_unique<tls::ServerContext>(read_protocol(home_));
    SSL_CTX* const raw = context->native();
    install(chain, raw, &SSL_CTX_use_cert_and_key);
    if (const std::string file = home_.control_file("clientca.pem");
        control::read_if_there<"clientca.pem">(home_))
        ask_for_client_certificates(raw, file);
    constexpr unsigned char service[] = "relais";
    SSL_CTX_set_session_id_context(raw, service, sizeof service);
    SSL_CTX_set_timeout(raw, session_lifetime);
    SSL_CTX_set_ex_data(raw, 0, this);
    SSL_CTX_set_cert_cb(raw, &ServerTls::on_certificate, this);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(raw, &ServerTls::on_ticket);
    set_signer([this](const Signing& signing) {
        try {
            Signature signature = client_.sign(signing, key_deadline());
            fresh_ = signature.ticket;
            return std::move(signature.octets);
        } catch (const std::exception& error) {
            note_trouble(error);
            throw;
        }
    });
    return context;
}

void ServerTls::prepare(Chain chain) {
    if (!chain.certificates.empty()) context_ = make_context(chain);
    chain_ = std::move(chain);
    if (context_) rehearse();
}

// What fails here fails for a client again, and is said there.
void ServerTls::rehearse() {
    deadline_ = Deadline::in(rehearsal_patience);
    tls::rehearse(*context_);
    client_.disconnect();
    trouble_.clear();
    fresh_.reset();
    tickets_shown_ = 0;
    spare_ = tls::new_ssl(*context_);
}

void ServerTls::prepare() {
    if (!offered()) throw Error(Reaction::temporary, "there is no certificate to speak TLS with");
    if (!context_) context_ = make_context(*chain_);
    // It is back in a moment, or the client had better come again.
    if (away_ && !fresh_) fresh_ = client_.new_ticket(Deadline::in(patience));
}

Deadline ServerTls::key_deadline() const {
    return earlier(deadline_, Deadline::in(patience));
}

std::unique_ptr<tls::Connection> ServerTls::accept(int fd, Deadline deadline) {
    prepare();
    deadline_ = deadline;
    trouble_.clear();
    tickets_shown_ = 0;
    try {
        auto connection = tls::accept(fd, spare_ ? std::move(spare_) : tls::new_ssl(*context_), deadline);
        client_.disconnect();
        return connection;
    } catch (const tls::HandshakeFailed& failed) {
        client_.disconnect();
        if (trouble_.empty()) throw;
        throw tls::HandshakeFailed("TLS handshake failed: " + trouble_, failed.number(),
                                   failed.verify_result());
    }
}

void ServerTls::note_trouble(const std::exception& error) {
    trouble_ = error.what();
}

// Called by OpenSSL once the client has said which name it wants; nothing may be thrown through it.
int ServerTls::on_certificate(SSL* ssl, void* self) {
    auto& server = *static_cast<ServerTls*>(self);
    try {
        return server.choose_certificate(ssl) ? 1 : 0;
    } catch (const std::exception& error) {
        server.note_trouble(error);
        return 0;
    }
}

bool ServerTls::choose_certificate(SSL* ssl) {
    const char* const name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (name == nullptr || !chain_->named || std::strlen(name) > 255) return true;
    const Chain chain = client_.certificate_for(name, key_deadline());
    if (chain.certificates.empty() || chain.certificates == chain_->certificates) return true;
    install(chain, ssl, &SSL_use_cert_and_key);
    return true;
}

int ServerTls::on_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                         EVP_MAC_CTX* mac, int encrypting) {
    auto& server = *static_cast<ServerTls*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), 0));
    try {
        return encrypting != 0 ? server.seal(ssl, name, iv, cipher, mac) : server.open(name, iv, cipher, mac);
    } catch (const std::exception& error) {
        server.note_trouble(error);
        // Sealing: the handshake fails. Opening: as if the ticket were unknown.
        return encrypting != 0 ? -1 : 0;
    }
}

int ServerTls::seal(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                    EVP_MAC_CTX* mac) {
    if (SSL_get0_peer_certificate(ssl) != nullptr) return 0;
    Ticket ticket = fresh_ ? *fresh_ : client_.new_ticket(key_deadline());
    fresh_.reset();
    std::memcpy(name, ticket.name.data(), ticket.name.size());
    const bool sealed = RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) == 1 &&
                        EVP_EncryptInit_ex2(cipher, EVP_aes_256_cbc(), ticket.key.data(), iv, nullptr) == 1 &&
                        set_mac_key(mac, ticket.key.data() + 32);
    OPENSSL_cleanse(&ticket, sizeof ticket);
    return sealed ? 1 : -1;
}

int ServerTls::open(const unsigned char* name, const unsigned char* iv, EVP_CIPHER_CTX* cipher,
                    EVP_MAC_CTX* mac) {
    if (++tickets_shown_ > tickets_tried) return 0;
    TicketAnswer answer =
        client_.ticket({reinterpret_cast<const char*>(name), ticket_name_size}, key_deadline());
    fresh_ = answer.fresh;
    if (answer.state == TicketState::unknown) return 0;
    const bool opened = EVP_DecryptInit_ex2(cipher, EVP_aes_256_cbc(), answer.key.data(), iv, nullptr) == 1 &&
                        set_mac_key(mac, answer.key.data() + 32);
    OPENSSL_cleanse(answer.key.data(), answer.key.size());
    if (!opened) return -1;
    return answer.state == TicketState::good ? 1 : 2;
}

}  // namespace relais::keyd
