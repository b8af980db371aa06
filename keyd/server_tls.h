// TLS as a server of this instance speaks it: qmail-keyd's certificates and signatures, and
// control/{tlsserverciphers,tlsminversion, clientca.pem}. A process that serves one client after it was
// executed uses it lazily; one that forks for each client prepares it before.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "control/home.h"
#include "keyd/client.h"
#include "tls/connection.h"

namespace relais::keyd {

class ServerTls {
  public:
    explicit ServerTls(control::Home home);
    ServerTls(const ServerTls&) = delete;
    ServerTls& operator=(const ServerTls&) = delete;

    // True if there is a certificate. Asks qmail-keyd the first time; trouble is the same as none, and told
    // to the log.
    bool offered();
    void set_log(std::function<void(const std::string&)> log) { log_ = std::move(log); }

    // For those who fork: takes the certificate and reads the control files, now and whenever something has
    // changed, and makes handshakes with itself (tls/rehearsal.h), so that children find OpenSSL warm;
    // qmail-keyd has two seconds for its part. Throws Error: the last state stays.
    void prepare(Chain chain);
    // Whether qmail-keyd is known to be gone for the moment.
    void keys_are_away(bool away) { away_ = away; }
    // Before a client is told to go on: reads the control files, if that has not been done, and has a word
    // with a qmail-keyd that was gone. Throws Error, also if there is no certificate.
    void prepare();

    // A handshake on a connected socket. Throws tls::HandshakeFailed; Error when the control files are wrong
    // or there is no certificate.
    std::unique_ptr<tls::Connection> accept(int fd, Deadline deadline);

  private:
    static int on_certificate(SSL* ssl, void* self);
    static int on_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                         EVP_MAC_CTX* mac, int encrypting);
    std::unique_ptr<tls::ServerContext> make_context(const Chain& chain);
    void rehearse();
    bool choose_certificate(SSL* ssl);
    int seal(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac);
    int open(const unsigned char* name, const unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac);
    Deadline key_deadline() const;
    void note_trouble(const std::exception& error);

    control::Home home_;
    KeyClient client_;
    std::optional<Chain> chain_;
    std::unique_ptr<tls::ServerContext> context_;
    tls::SslPtr spare_;  // for the client that a child serves
    std::string trouble_;
    bool away_ = false;
    std::function<void(const std::string&)> log_;
    // Of the handshake that is going on.
    Deadline deadline_ = Deadline::never();
    std::optional<Ticket> fresh_;
    unsigned tickets_shown_ = 0;
};

}  // namespace relais::keyd
