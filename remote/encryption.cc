#include "remote/encryption.h"

#include "base/error.h"
#include "base/text.h"
#include "base/time.h"
#include "remote/settings.h"
#include "sasl/secret.h"

namespace relais::remote {
namespace {

// Authorities come and go: a context is made anew after a while.
constexpr std::chrono::minutes context_lifetime{10};

tls::Expectation expectation(const TlsPolicy& policy, const std::string& name) {
    tls::Expectation expected;
    if (policy.level == TlsLevel::fingerprint) expected.digests = policy.digests;
    if (policy.level == TlsLevel::verify)
        expected.names = policy.names.empty() ? std::vector<std::string>{name} : policy.names;
    if (policy.level == TlsLevel::dane) {
        expected.names = policy.names;
        expected.tlsa = policy.tlsa;
        expected.tlsa_name = policy.tlsa_name;
    }
    return expected;
}

std::string_view trust_words(const TlsPolicy& policy) {
    switch (policy.level) {
        case TlsLevel::verify:
            return policy.policy_of.empty() ? "certificate verified" : "certificate verified by MTA-STS";
        case TlsLevel::dane:
            return "certificate verified by DANE";
        case TlsLevel::fingerprint:
            return "fingerprint verified";
        default:
            return "certificate not verified";
    }
}

std::string describe(const tls::Connection& connection, const TlsPolicy& policy) {
    const tls::Description& with = connection.description();
    return with.version + ", " + with.cipher + ", " + std::string(trust_words(policy));
}

tls::SessionPtr parse_session(const std::string& der) {
    const auto* data = reinterpret_cast<const unsigned char*>(der.data());
    return tls::SessionPtr(d2i_SSL_SESSION(nullptr, &data, static_cast<long>(der.size())));
}

}  // namespace

const tls::ClientContext& Encryption::context(const TlsPolicy& policy) {
    std::string authorities;
    if (policy.level == TlsLevel::verify)
        authorities = policy.ca_file.empty() ? tls::system_authorities : authority_file(home_, policy);
    Context& entry = contexts_[{policy.only_13, authorities}];
    if (entry.context && Clock::now() - entry.made_at < context_lifetime) return *entry.context;
    entry.context.reset();
    auto fresh = std::make_unique<tls::ClientContext>(
        tls::Protocol{policy.only_13 ? TLS1_3_VERSION : TLS1_2_VERSION, ""});
    if (!authorities.empty()) tls::trust(*fresh, authorities);
    entry = {std::move(fresh), Clock::now()};
    return *entry.context;
}

Secured Encryption::secure(int fd, const TlsPolicy& policy, const std::string& name, const std::string& ip,
                           Deadline deadline) {
    const tls::ClientContext& with = context(policy);
    Secured secured{nullptr, policy.identity() + "\n" + lower(name) + "\n" + ip, ""};
    tls::ServerCheck check(expectation(policy, name));
    tls::SessionPtr session;
    // What resumes a session shows no certificate, and records of today are for one of today.
    if (policy.level == TlsLevel::dane) secured.session_key.clear();
    if (auto known = memory_.session(secured.session_key, now_seconds())) {
        session = parse_session(*known);
        wipe(*known);
    }
    tls::ClientOptions options;
    options.server_name = policy.tlsa_name.empty() ? name : policy.names.front();
    options.session = session.get();
    options.prepare = [&check](SSL* ssl) { check.prepare(ssl); };
    try {
        secured.connection = tls::connect(fd, with, options, deadline);
    } catch (const tls::HandshakeFailed& failed) {
        if (check.chain_complaint().empty()) throw;
        throw Error(Reaction::temporary, check.chain_complaint());
    }
    const std::string complaint = check.complaint(secured.connection->native());
    if (!complaint.empty()) {
        secured.connection->shut_down();
        throw Error(Reaction::temporary, complaint);
    }
    secured.description = describe(*secured.connection, policy);
    return secured;
}

void Encryption::remember(const tls::Connection& connection, const std::string& session_key) {
    if (session_key.empty()) return;
    const tls::SessionPtr session = connection.session();
    if (!session || SSL_SESSION_is_resumable(session.get()) != 1) return;
    const int size = i2d_SSL_SESSION(session.get(), nullptr);
    if (size <= 0) return;
    std::string der(static_cast<std::size_t>(size), '\0');
    auto* data = reinterpret_cast<unsigned char*>(der.data());
    i2d_SSL_SESSION(session.get(), &data);
    memory_.put_session(session_key, der, now_seconds());
    wipe(der);
}

}  // namespace relais::remote
