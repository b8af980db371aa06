// One TLS connection over a socket: the handshake, its result, and the octets after it. No call waits beyond
// its deadline, whether the socket is blocking or not, and however slowly the other side drips.
//
// Nothing that was read before the handshake belongs to the connection: whoever switches to TLS drops what it
// has buffered first (RFC 3207, 5; CVE-2011-0411).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/transport.h"
#include "tls/context.h"

namespace relais::tls {

struct SocketBio;

// Why there is no encrypted connection. number(): ETIMEDOUT, ECONNRESET (it hung up in the middle), another
// errno of the socket, or 0 when TLS itself said no; what() is one line for a log.
class HandshakeFailed : public Error {
  public:
    HandshakeFailed(const std::string& text, int error_number, long verify_result)
        : Error(Reaction::temporary, text, error_number), verify_result_(verify_result) {}
    // X509_V_OK, or what was wrong with the other side's certificate (X509_V_ERR_...).
    long verify_result() const { return verify_result_; }

  private:
    long verify_result_;
};

struct Description {
    std::string version;  // "TLSv1.3"
    std::string cipher;   // "TLS_AES_256_GCM_SHA384"
    int bits = 0;         // of the cipher
    bool resumed = false;
    std::string server_name{};  // SNI, as the client sent it; empty if none
    std::string peer_subject;   // of the other side's certificate, whoever signed it; empty if it showed none
    std::string peer_issuer;
    std::vector<std::string> peer_addresses;  // of mail, in the subject and its alternatives
    std::string peer_fingerprint;             // SHA-256, hexadecimal
    // Chain and, where asked for, name were right. Always false where nothing was verified.
    bool peer_verified = false;
};

class Connection final : public Transport {
  public:
    ~Connection() override;

    // Once the other side has ended properly, 0 from then on. The other side's close without close_notify is
    // ECONNABORTED: an end that anybody on the way could have made.
    std::size_t read_some(std::span<char> buffer, Deadline deadline) override;
    void write_all(std::string_view data, Deadline deadline) override;
    void write_last(std::string_view data, Deadline deadline) override;
    // What TLS itself has to say (a handshake's last words) leaves with the next octets written, before the
    // next wait for a read, or with a try.
    Progress try_read(std::span<char> buffer) override;
    Progress try_pending(std::span<char> buffer) override;
    Progress try_write(std::string_view data) override;
    bool has_pending() const override;
    int fd() const override;

    // The socket blocks and has timeouts of its own (SO_RCVTIMEO): reads leave the waiting to it, which saves
    // a poll(2) for each, and may pass their deadline by that timeout.
    void let_socket_wait();

    // Tells the other side that nothing more comes (close_notify), as far as that needs no waiting. Does not
    // wait for its answer, closes nothing, never throws. After a failure of the connection it does nothing.
    void shut_down() noexcept;

    const Description& description() const { return description_; }
    // Channel bindings: RFC 9266 (32 octets; empty where TLS 1.2 has no extended master secret) and RFC 5929
    // (tls-server-end-point).
    std::string exporter_binding() const;
    std::string end_point_binding() const;
    // Clients: the session as it is now, to be resumed later; with TLS 1.3 there is none to resume before the
    // first read.
    SessionPtr session() const;

    SSL* native() const { return ssl_.get(); }

  private:
    friend std::unique_ptr<Connection> start(SslPtr ssl, int fd, bool server, Deadline deadline);
    Connection(SslPtr ssl, int fd);
    void handshake(bool server, Deadline deadline);
    void describe(bool server);
    Progress read(std::span<char> buffer);
    Progress write(std::string_view data);
    Progress step(int result, std::size_t count, bool reading);
    void flush();
    void fail();

    std::unique_ptr<SocketBio> socket_;
    SslPtr ssl_;
    Description description_;
    bool failed_ = false;
    bool was_shut_down_ = false;
};

// The server's side of a handshake. Borrows fd, a connected socket. Throws HandshakeFailed, Error.
// prepare is called with the new SSL before the first octet.
std::unique_ptr<Connection> accept(int fd, const ServerContext& context, Deadline deadline,
                                   const std::function<void(SSL*)>& prepare = {});
// The same, with an SSL that was made before there was a client: new_ssl costs what a process that forks can
// spare its children.
std::unique_ptr<Connection> accept(int fd, SslPtr ssl, Deadline deadline);
SslPtr new_ssl(const ServerContext& context);

struct ClientOptions {
    std::string server_name{};  // SNI; not sent if empty or an address
    std::string
        verify_name{};  // the certificate must be valid for this name (SSL_VERIFY_PEER is set with it)
    SSL_SESSION* session = nullptr;  // to resume; borrowed
    std::function<void(SSL*)> prepare = {};
};
// The client's side, likewise.
std::unique_ptr<Connection> connect(int fd, const ClientContext& context, const ClientOptions& options,
                                    Deadline deadline);

}  // namespace relais::tls
