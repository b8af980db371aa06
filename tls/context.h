// What connections have in common: versions, ciphers, and where keys and trust come from. Making one costs
// far more than a connection: a process that serves many makes it once, before it forks.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "tls/openssl.h"

namespace relais::tls {

// How servers and clients of ours speak TLS; each of them may be set apart by its control files.
struct Protocol {
    int minimum = TLS1_2_VERSION;
    std::string ciphers;  // of TLS 1.2 and below, in OpenSSL's words; empty: our list
};

// The value of control/tlsminversion: "1.0", "1.1", "1.2" or "1.3". Nothing for anything else.
std::optional<int> parse_version(std::string_view text);

class ServerContext {
  public:
    // Without a certificate yet. Throws Error (permanent where protocol makes no sense).
    explicit ServerContext(const Protocol& protocol = {});
    // Chain and key, both PEM, the key perhaps in the same text: for tests and for tools; a server's key lies
    // with qmail-keyd.
    void use_certificate(std::string_view chain_pem, std::string_view key_pem);
    SSL_CTX* native() const { return context_.get(); }

  private:
    SslCtxPtr context_;
};

class ClientContext {
  public:
    // Verifies nothing and trusts nobody yet. Throws Error as above.
    explicit ClientContext(const Protocol& protocol = {});
    SSL_CTX* native() const { return context_.get(); }

  private:
    SslCtxPtr context_;
};

}  // namespace relais::tls
