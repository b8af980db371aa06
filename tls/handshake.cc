#include <arpa/inet.h>
#include <openssl/x509v3.h>

#include "tls/connection.h"

namespace relais::tls {

std::unique_ptr<Connection> start(SslPtr ssl, int fd, bool server, Deadline deadline);

namespace {

SslPtr make(SSL_CTX* context) {
    SslPtr ssl(SSL_new(context));
    if (!ssl) throw Error(Reaction::temporary, "unable to prepare TLS: " + take_errors("out of memory"));
    return ssl;
}

bool is_address(const std::string& name) {
    in6_addr ignored{};
    return ::inet_pton(AF_INET, name.c_str(), &ignored) == 1 ||
           ::inet_pton(AF_INET6, name.c_str(), &ignored) == 1;
}

// What the macro SSL_set_tlsext_host_name does, whose cast is C's.
bool send_server_name(SSL* ssl, std::string name) {
    return SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data()) == 1;
}

void require_name(SSL* ssl, const std::string& name) {
    SSL_set_verify(ssl, SSL_VERIFY_PEER, nullptr);
    X509_VERIFY_PARAM* const parameters = SSL_get0_param(ssl);
    X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    const int done = is_address(name) ? X509_VERIFY_PARAM_set1_ip_asc(parameters, name.c_str())
                                      : X509_VERIFY_PARAM_set1_host(parameters, name.c_str(), name.size());
    if (done != 1)
        throw HandshakeFailed("no certificate can be valid for this name: " + name, 0,
                              X509_V_ERR_HOSTNAME_MISMATCH);
}

}  // namespace

SslPtr new_ssl(const ServerContext& context) {
    return make(context.native());
}

std::unique_ptr<Connection> accept(int fd, SslPtr ssl, Deadline deadline) {
    return start(std::move(ssl), fd, true, deadline);
}

std::unique_ptr<Connection> accept(int fd, const ServerContext& context, Deadline deadline,
                                   const std::function<void(SSL*)>& prepare) {
    SslPtr ssl = make(context.native());
    if (prepare) prepare(ssl.get());
    return start(std::move(ssl), fd, true, deadline);
}

std::unique_ptr<Connection> connect(int fd, const ClientContext& context, const ClientOptions& options,
                                    Deadline deadline) {
    SslPtr ssl = make(context.native());
    if (!options.server_name.empty() && !is_address(options.server_name) &&
        !send_server_name(ssl.get(), options.server_name))
        throw HandshakeFailed("not a name of a server: " + options.server_name, 0, X509_V_OK);
    if (!options.verify_name.empty()) require_name(ssl.get(), options.verify_name);
    if (options.session != nullptr) SSL_set_session(ssl.get(), options.session);
    if (options.prepare) options.prepare(ssl.get());
    return start(std::move(ssl), fd, false, deadline);
}

}  // namespace relais::tls
