#include "tls/connection.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <utility>

#include "tls/certificate.h"
#include "tls/socket_bio.h"

namespace relais::tls {

using Mode = SocketBio::Mode;

Connection::Connection(SslPtr ssl, int fd)
    : socket_(std::make_unique<SocketBio>(SocketBio{fd})), ssl_(std::move(ssl)) {
    BIO* const bio = socket_->make_bio();
    SSL_set_bio(ssl_.get(), bio, bio);
}

Connection::~Connection() = default;

void Connection::handshake(bool server, Deadline deadline) {
    socket_->begin(Mode::waiting, deadline);
    ERR_clear_error();
    const int result = server ? SSL_accept(ssl_.get()) : SSL_connect(ssl_.get());
    // A ticket of TLS 1.3 is nothing that the client waits for.
    const bool holds = server && SSL_version(ssl_.get()) >= TLS1_3_VERSION;
    if (result == 1 && (holds || socket_->flush())) return describe(server);
    fail();
    const long verify = SSL_get_verify_result(ssl_.get());
    const std::string reason = take_errors("the connection was closed");
    if (socket_->timed_out) throw HandshakeFailed("TLS handshake timed out", ETIMEDOUT, verify);
    if (socket_->error != 0)
        throw HandshakeFailed("TLS handshake failed: " + errno_text(socket_->error), socket_->error, verify);
    if (socket_->ended)
        throw HandshakeFailed("TLS handshake failed: the connection was closed", ECONNRESET, verify);
    throw HandshakeFailed("TLS handshake failed: " + reason, 0, verify);
}

void Connection::describe(bool server) {
    SSL* const ssl = ssl_.get();
    description_.version = SSL_get_version(ssl);
    description_.cipher = SSL_get_cipher_name(ssl);
    description_.bits = SSL_get_cipher_bits(ssl, nullptr);
    description_.resumed = SSL_session_reused(ssl) == 1;
    if (const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name); name != nullptr && server)
        description_.server_name = name;
    X509* const peer = SSL_get0_peer_certificate(ssl);
    if (peer == nullptr) return;
    description_.peer_subject = subject(peer);
    description_.peer_issuer = issuer(peer);
    description_.peer_addresses = mail_addresses(peer);
    description_.peer_fingerprint = fingerprint(peer);
    description_.peer_verified =
        SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE && SSL_get_verify_result(ssl) == X509_V_OK;
}

// What a call of SSL_read or SSL_write came to. Throws Error.
Transport::Progress Connection::step(int result, std::size_t count, bool reading) {
    if (result == 1) return {count, Wants::nothing, false};
    const std::string_view verb = reading ? "read from" : "write to";
    switch (SSL_get_error(ssl_.get(), result)) {
        case SSL_ERROR_ZERO_RETURN:
            if (reading) return {0, Wants::nothing, true};
            // What OpenSSL says of a failed write once the other side has ended.
            fail();
            throw_errno(verb, "the peer", socket_->error != 0 ? socket_->error : EPIPE);
        case SSL_ERROR_WANT_READ:
            if (socket_->timed_out) throw_errno(verb, "the peer", ETIMEDOUT);
            return {0, Wants::read, false};
        case SSL_ERROR_WANT_WRITE:
            if (socket_->timed_out) throw_errno(verb, "the peer", ETIMEDOUT);
            return {0, Wants::write, false};
        default:
            break;
    }
    fail();
    if (socket_->error != 0) throw_errno(verb, "the peer", socket_->error);
    if (socket_->ended) throw_errno(verb, "the peer, which closed without ending TLS", ECONNABORTED);
    throw Error(Reaction::temporary, "TLS failed: " + take_errors("unknown reason"), EPROTO);
}

// Nothing more is said but what TLS has to say of it (an alert), if that needs no waiting.
void Connection::fail() {
    failed_ = true;
    socket_->mode = Mode::trying;
    const int cause = socket_->error;
    if (cause == 0) socket_->flush();
    socket_->error = cause;
}

Transport::Progress Connection::read(std::span<char> buffer) {
    std::size_t count = 0;
    ERR_clear_error();
    const int result = SSL_read_ex(ssl_.get(), buffer.data(), buffer.size(), &count);
    return step(result, count, true);
}

Transport::Progress Connection::write(std::string_view data) {
    std::size_t count = 0;
    ERR_clear_error();
    const int result = SSL_write_ex(ssl_.get(), data.data(), data.size(), &count);
    return step(result, count, false);
}

std::size_t Connection::read_some(std::span<char> buffer, Deadline deadline) {
    socket_->begin(Mode::waiting, deadline);
    for (;;) {
        const Progress progress = read(buffer);
        if (progress.count > 0 || progress.ended) return progress.count;
        // Something of TLS's own was handled (a session ticket, new keys).
    }
}

void Connection::write_all(std::string_view data, Deadline deadline) {
    socket_->begin(Mode::waiting, deadline);
    while (!data.empty()) data.remove_prefix(write(data).count);
    flush();
}

void Connection::write_last(std::string_view data, Deadline deadline) {
    socket_->begin(Mode::waiting, deadline);
    while (!data.empty()) data.remove_prefix(write(data).count);
    if (SSL_is_init_finished(ssl_.get()) == 1 && !std::exchange(was_shut_down_, true))
        SSL_shutdown(ssl_.get());
    ERR_clear_error();
    flush();
}

void Connection::flush() {
    if (socket_->flush()) return;
    failed_ = true;
    throw_errno("write to", "the peer", socket_->timed_out ? ETIMEDOUT : socket_->error);
}

Transport::Progress Connection::try_read(std::span<char> buffer) {
    socket_->begin(Mode::trying);
    return read(buffer);
}

Transport::Progress Connection::try_pending(std::span<char> buffer) {
    if (SSL_has_pending(ssl_.get()) != 1) return {0, Wants::read, false};
    socket_->begin(Mode::buffered);
    return read(buffer);
}

Transport::Progress Connection::try_write(std::string_view data) {
    if (data.empty()) return {};
    socket_->begin(Mode::trying);
    return write(data);
}

bool Connection::has_pending() const {
    return SSL_pending(ssl_.get()) > 0;
}

int Connection::fd() const {
    return socket_->fd;
}

void Connection::let_socket_wait() {
    socket_->socket_waits = true;
}

void Connection::shut_down() noexcept {
    if (failed_) return;
    socket_->begin(Mode::trying);
    ERR_clear_error();
    if (!std::exchange(was_shut_down_, true)) SSL_shutdown(ssl_.get());
    socket_->flush();
    ERR_clear_error();
}

std::string Connection::exporter_binding() const {
    if (SSL_version(ssl_.get()) < TLS1_3_VERSION && SSL_get_extms_support(ssl_.get()) != 1) return "";
    constexpr std::string_view label = "EXPORTER-Channel-Binding";
    std::string value(32, '\0');
    const unsigned char none = 0;
    // RFC 9266: the context is empty, which in TLS 1.2 is not the same as absent.
    if (SSL_export_keying_material(ssl_.get(), reinterpret_cast<unsigned char*>(value.data()), value.size(),
                                   label.data(), label.size(), &none, 0, 1) != 1) {
        ERR_clear_error();
        return "";
    }
    return value;
}

std::string Connection::end_point_binding() const {
    X509* const certificate = SSL_is_server(ssl_.get()) == 1 ? SSL_get_certificate(ssl_.get())
                                                             : SSL_get0_peer_certificate(ssl_.get());
    return certificate == nullptr ? "" : tls::end_point_binding(certificate);
}

SessionPtr Connection::session() const {
    return SessionPtr(SSL_get1_session(ssl_.get()));
}

std::unique_ptr<Connection> start(SslPtr ssl, int fd, bool server, Deadline deadline) {
    std::unique_ptr<Connection> connection(new Connection(std::move(ssl), fd));
    connection->handshake(server, deadline);
    return connection;
}

}  // namespace relais::tls
