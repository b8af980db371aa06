#include "tls/rehearsal.h"

#include <openssl/err.h>

#include <array>

#include "base/error.h"
#include "tls/socket_bio.h"

namespace relais::tls {
namespace {

// A handshake needs three turns at most; more of them mean that it cannot be done.
constexpr int turns = 10;

// Both ends of one connection.
class Pair {
  public:
    Pair(SSL_CTX* server, SSL_CTX* client, SSL_SESSION* session)
        : server_(SSL_new(server)), client_(SSL_new(client)) {
        BIO* ours = nullptr;
        BIO* theirs = nullptr;
        if (!server_ || !client_ || BIO_new_bio_pair(&ours, 0, &theirs, 0) != 1)
            throw Error(Reaction::temporary, "unable to prepare TLS: " + take_errors("out of memory"));
        SSL_set_bio(server_.get(), ours, ours);
        SSL_set_bio(client_.get(), theirs, theirs);
        SSL_set_accept_state(server_.get());
        SSL_set_connect_state(client_.get());
        if (session != nullptr) SSL_set_session(client_.get(), session);
    }

    bool converse() {
        for (int i = 0; i < turns && !(has_finished(server_.get()) && has_finished(client_.get())); ++i) {
            SSL_do_handshake(client_.get());
            SSL_do_handshake(server_.get());
        }
        // The ticket of TLS 1.3 comes before the first octet.
        return has_finished(server_.get()) && passes(server_.get(), client_.get()) &&
               passes(client_.get(), server_.get());
    }

    bool resumed() const { return SSL_session_reused(server_.get()) == 1; }
    SessionPtr session() const { return SessionPtr(SSL_get1_session(client_.get())); }
    void end() {
        SSL_shutdown(server_.get());
        SSL_shutdown(client_.get());
    }

  private:
    static bool has_finished(SSL* ssl) { return SSL_is_init_finished(ssl) == 1; }
    static bool passes(SSL* from, SSL* to) {
        std::array<char, 64> octets{};
        std::size_t count = 0;
        return SSL_write_ex(from, octets.data(), octets.size(), &count) == 1 &&
               SSL_read_ex(to, octets.data(), octets.size(), &count) == 1;
    }

    SslPtr server_;
    SslPtr client_;
};

// Nothing if there was no conversation.
SessionPtr talk(const ServerContext& server, const ClientContext& client, SSL_SESSION* session,
                bool& resumed) {
    Pair pair(server.native(), client.native(), session);
    if (!pair.converse()) return nullptr;
    resumed = pair.resumed();
    SessionPtr next = pair.session();
    pair.end();
    return next;
}

}  // namespace

bool rehearse(const ServerContext& server) {
    SocketBio::method();
    bool resumed = false;
    const ClientContext client;
    if (const SessionPtr session = talk(server, client, nullptr, resumed))
        talk(server, client, session.get(), resumed);
    ClientContext older;
    SSL_CTX_set_max_proto_version(older.native(), TLS1_2_VERSION);
    bool ignored = false;
    talk(server, older, nullptr, ignored);
    ERR_clear_error();
    return resumed;
}

}  // namespace relais::tls
