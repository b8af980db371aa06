// What a client wants to see of a server before it says anything to it: a certificate of a trusted authority
// for a name, one that is known by its digest, or one that DNS names (DANE). And in words what was wrong.
#pragma once

#include <string>
#include <vector>

#include "tls/context.h"
#include "tls/dane.h"

namespace relais::tls {

// Debian's and most others' bundle of the authorities that the system trusts.
inline constexpr char system_authorities[] = "/etc/ssl/certs/ca-certificates.crt";

// Trusts the authorities of a PEM file, beside those trusted already. Throws Error if there is none in it.
void trust(const ClientContext& context, const std::string& file);

struct Expectation {
    // The certificate is valid for one of these: names, ".suffix" (any name below it), addresses; and its
    // chain ends at an authority that the context trusts. Empty: not asked for.
    std::vector<std::string> names{};
    // The SHA-256 of the certificate, or of its public key, is one of these: 64 lower-case hexadecimal digits
    // each.
    std::vector<std::string> digests{};
    // TLSA records, all usable: one of usage 3 fits the certificate, whatever its names and dates; or one of
    // usage 2 fits an authority of its chain, and it is right for one of the names, the first of which is the
    // TLSA base domain. No other authority is trusted then. Not for sessions that are resumed.
    std::vector<Tlsa> tlsa{};
    std::string tlsa_name{};  // where they are: "_25._tcp.mx.example.org"
};

// Watches one handshake, which it must outlive: prepare() belongs into ClientOptions::prepare.
class ServerCheck {
  public:
    explicit ServerCheck(Expectation expectation) : expectation_(std::move(expectation)) {}
    ServerCheck(const ServerCheck&) = delete;
    ServerCheck& operator=(const ServerCheck&) = delete;

    // Throws Error.
    void prepare(SSL* ssl);
    // After a handshake that was done: what is wrong with the server, empty if nothing. A resumed session is
    // held to the same, for the certificate may have expired since.
    std::string complaint(SSL* ssl) const;
    // Of a certificate: what is wrong with its names.
    std::string name_complaint(X509* certificate) const;
    // After one that failed: what was wrong with the certificate; empty if that was not the reason.
    const std::string& chain_complaint() const { return chain_complaint_; }

  private:
    static int watch_chain(int right, X509_STORE_CTX* chain);
    void prepare_dane(SSL* ssl);
    std::string describe(X509_STORE_CTX* chain) const;
    std::string digest_complaint(X509* certificate) const;
    std::string dane_complaint(X509* certificate) const;

    Expectation expectation_;
    std::string chain_complaint_;
};

}  // namespace relais::tls
