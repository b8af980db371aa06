#include "tls/connection.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <climits>

#include "tls/certificate.h"

namespace relais::tls {
namespace {

// Of one try: a stream of TLS's own messages, each of which is handled at once, would otherwise never give the caller his turn.
constexpr std::size_t try_limit = 64 * 1024;

}  // namespace

// The socket under a connection, as OpenSSL's BIO calls it: the waiting is done here, so that OpenSSL need not be entered again
// and every octet is under the deadline.
struct Connection::Link {
    int fd;
    bool waits = true;
    std::size_t may_read = 0;  // octets, of a try
    Deadline deadline = Deadline::never();
    bool timed_out = false;
    bool ended = false;
    int error = 0;

    bool wait(short events) {
        for (;;) {
            pollfd entry{fd, events, 0};
            const int ready = ::poll(&entry, 1, deadline.milliseconds());
            if (ready > 0) return true;
            if (ready < 0 && errno != EINTR) return true;  // the call that follows says what is wrong
            if (deadline.passed()) {
                timed_out = true;
                return false;
            }
        }
    }

    // Moves octets once call lets it. -1 with retry set: would have to wait longer than it may.
    template <class Call>
    int move(BIO* bio, short events, bool poll_first, Call call) {
        BIO_clear_retry_flags(bio);
        for (bool ask = poll_first;; ask = true) {
            if (waits && ask && !wait(events)) break;
            // A steady drip must not outlive the deadline either.
            if (waits && deadline.passed()) {
                timed_out = true;
                break;
            }
            const ssize_t count = call();
            if (count >= 0) return static_cast<int>(count);
            if (errno == EINTR) continue;
            if (errno != EAGAIN) {
                error = errno;
                return -1;
            }
            if (!waits) break;
        }
        if (events == POLLIN)
            BIO_set_retry_read(bio);
        else
            BIO_set_retry_write(bio);
        return -1;
    }

    static Link& of(BIO* bio) { return *static_cast<Link*>(BIO_get_data(bio)); }
    static int read(BIO* bio, char* buffer, int size) {
        Link& link = of(bio);
        const int count = link.move(bio, POLLIN, true, [&] {
            if (!link.waits && link.may_read == 0) {
                errno = EAGAIN;
                return ssize_t{-1};
            }
            return ::recv(link.fd, buffer, static_cast<std::size_t>(size), MSG_DONTWAIT);
        });
        if (count == 0) link.ended = true;
        if (count > 0) link.may_read -= std::min(link.may_read, static_cast<std::size_t>(count));
        return count;
    }
    static int write(BIO* bio, const char* data, int size) {
        Link& link = of(bio);
        return link.move(bio, POLLOUT, false, [&] {
            return ::send(link.fd, data, static_cast<std::size_t>(size), MSG_DONTWAIT | MSG_NOSIGNAL);
        });
    }
    static long control(BIO* bio, int command, long, void*) {
        if (command == BIO_CTRL_EOF) return of(bio).ended ? 1 : 0;
        return command == BIO_CTRL_FLUSH ? 1 : 0;
    }
    static BIO* make_bio(Link& link) {
        static BIO_METHOD* const method = [] {
            BIO_METHOD* made =
                BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket with a deadline");
            if (made == nullptr) throw Error(Reaction::temporary, "unable to prepare TLS: out of memory");
            BIO_meth_set_read(made, &Link::read);
            BIO_meth_set_write(made, &Link::write);
            BIO_meth_set_ctrl(made, &Link::control);
            return made;
        }();
        BIO* const bio = BIO_new(method);
        if (bio == nullptr) throw Error(Reaction::temporary, "unable to prepare TLS: out of memory");
        BIO_set_data(bio, &link);
        BIO_set_init(bio, 1);
        return bio;
    }
};

Connection::Connection(SslPtr ssl, int fd) : link_(std::make_unique<Link>(Link{fd})), ssl_(std::move(ssl)) {
    BIO* const bio = Link::make_bio(*link_);
    SSL_set_bio(ssl_.get(), bio, bio);
}

Connection::~Connection() = default;

void Connection::handshake(bool server, Deadline deadline) {
    link_->deadline = deadline;
    ERR_clear_error();
    const int result = server ? SSL_accept(ssl_.get()) : SSL_connect(ssl_.get());
    if (result == 1) return describe(server);
    failed_ = true;
    const long verify = SSL_get_verify_result(ssl_.get());
    const std::string reason = take_errors("the connection was closed");
    if (link_->timed_out) throw HandshakeFailed("TLS handshake timed out", ETIMEDOUT, verify);
    if (link_->error != 0)
        throw HandshakeFailed("TLS handshake failed: " + errno_text(link_->error), link_->error, verify);
    if (link_->ended)
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
            failed_ = true;
            throw_errno(verb, "the peer", link_->error != 0 ? link_->error : EPIPE);
        case SSL_ERROR_WANT_READ:
            if (link_->timed_out) throw_errno(verb, "the peer", ETIMEDOUT);
            return {0, Wants::read, false};
        case SSL_ERROR_WANT_WRITE:
            if (link_->timed_out) throw_errno(verb, "the peer", ETIMEDOUT);
            return {0, Wants::write, false};
        default:
            break;
    }
    failed_ = true;
    if (link_->error != 0) throw_errno(verb, "the peer", link_->error);
    if (link_->ended) throw_errno(verb, "the peer, which closed without ending TLS", ECONNABORTED);
    throw Error(Reaction::temporary, "TLS failed: " + take_errors("unknown reason"), EPROTO);
}

std::size_t Connection::read_some(std::span<char> buffer, Deadline deadline) {
    link_->waits = true;
    link_->deadline = deadline;
    link_->timed_out = false;
    for (;;) {
        std::size_t count = 0;
        ERR_clear_error();
        const int result = SSL_read_ex(ssl_.get(), buffer.data(), buffer.size(), &count);
        const Progress progress = step(result, count, true);
        if (progress.count > 0 || progress.ended) return progress.count;
        // Something of TLS's own was handled (a session ticket, new keys).
    }
}

void Connection::write_all(std::string_view data, Deadline deadline) {
    link_->waits = true;
    link_->deadline = deadline;
    link_->timed_out = false;
    while (!data.empty()) {
        std::size_t count = 0;
        ERR_clear_error();
        const int result = SSL_write_ex(ssl_.get(), data.data(), data.size(), &count);
        data.remove_prefix(step(result, count, false).count);
    }
}

Transport::Progress Connection::try_read(std::span<char> buffer) {
    link_->waits = false;
    link_->may_read = try_limit;
    link_->timed_out = false;
    std::size_t count = 0;
    ERR_clear_error();
    const int result = SSL_read_ex(ssl_.get(), buffer.data(), buffer.size(), &count);
    return step(result, count, true);
}

Transport::Progress Connection::try_write(std::string_view data) {
    if (data.empty()) return {};
    link_->waits = false;
    link_->may_read = try_limit;
    link_->timed_out = false;
    std::size_t count = 0;
    ERR_clear_error();
    const int result = SSL_write_ex(ssl_.get(), data.data(), data.size(), &count);
    return step(result, count, false);
}

bool Connection::has_pending() const {
    return SSL_pending(ssl_.get()) > 0;
}

int Connection::fd() const {
    return link_->fd;
}

void Connection::shut_down() noexcept {
    if (failed_) return;
    link_->waits = false;
    link_->may_read = try_limit;
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
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
