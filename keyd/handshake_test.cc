// Whole handshakes whose key is elsewhere: remote_key asks the real answers of server.h, without sockets
// between.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cstring>
#include <future>

#include "keyd/key_store.h"
#include "keyd/remote_key.h"
#include "keyd/server.h"
#include "tls/connection.h"
#include "tls/test_certificate.h"

namespace relais::keyd {
namespace {

Deadline soon() {
    return Deadline::in(Seconds(60));
}

struct Case {
    const char* algorithm;
    int version;
    const char* signatures;
};

class RemoteKey : public testing::TestWithParam<Case> {};

std::string answer_or_throw(const KeyStore& store, TicketKeys& tickets, const Signing& signing) {
    const auto body = answer(encode_request(signing), store, tickets);
    const auto decoded = decode_signature(body.value_or(""));
    if (!decoded) throw std::runtime_error(decode_trouble(body.value_or("")).value_or("?"));
    return decoded->octets;
}

TEST_P(RemoteKey, SignsHandshakes) {
    prepare_locked_memory();
    const Case& wanted = GetParam();
    const auto made = tls::TestCertificate::make("mail.test", wanted.algorithm);
    KeyStore store;
    SecretText text(made.chain.size() + made.key.size());
    std::memcpy(text.data(), (made.chain + made.key).data(), text.view().size());
    store.add("servercert.pem", std::move(text));
    ASSERT_TRUE(store.commit(Clock::now()).empty());
    TicketKeys tickets(Seconds(100), Clock::now());
    unsigned asked = 0;
    set_signer([&](const Signing& signing) {
        ++asked;
        return answer_or_throw(store, tickets, signing);
    });
    const std::string der = decode_chain(store.chain_for(""))->certificates.front();
    const auto* at = reinterpret_cast<const unsigned char*>(der.data());
    const tls::X509Ptr certificate(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
    const tls::KeyPtr key = make_remote_key(certificate.get());
    tls::ServerContext server;
    ASSERT_EQ(SSL_CTX_use_cert_and_key(server.native(), certificate.get(), key.get(), nullptr, 1), 1)
        << tls::take_errors("");
    tls::ClientContext client;
    SSL_CTX_set_max_proto_version(client.native(), wanted.version);
    if (*wanted.signatures != '\0') {
        ASSERT_EQ(SSL_CTX_set1_sigalgs_list(client.native(), wanted.signatures), 1);
    }
    // The client verifies, so that a wrong signature shows.
    X509_STORE_add_cert(SSL_CTX_get_cert_store(client.native()), certificate.get());
    int both[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, both), 0);
    const Fd a(both[0]), b(both[1]);
    auto accepting = std::async(std::launch::async, [&] { return tls::accept(a.get(), server, soon()); });
    const auto mine = tls::connect(b.get(), client, {.verify_name = "mail.test"}, soon());
    const auto theirs = accepting.get();
    EXPECT_EQ(asked, 1u);
    EXPECT_EQ(mine->description().version, wanted.version == TLS1_3_VERSION ? "TLSv1.3" : "TLSv1.2");
}

INSTANTIATE_TEST_SUITE_P(Kinds, RemoteKey,
                         testing::Values(Case{"EC", TLS1_3_VERSION, ""}, Case{"EC", TLS1_2_VERSION, ""},
                                         Case{"RSA", TLS1_3_VERSION, ""}, Case{"RSA", TLS1_2_VERSION, ""},
                                         Case{"RSA", TLS1_2_VERSION, "RSA+SHA512"},
                                         Case{"RSA", TLS1_3_VERSION, "RSA-PSS+SHA384"},
                                         Case{"ED25519", TLS1_3_VERSION, ""},
                                         Case{"ED25519", TLS1_2_VERSION, ""}));

TEST(RemoteKeyRefusals, AreAnswers) {
    prepare_locked_memory();
    KeyStore store;
    TicketKeys tickets(Seconds(100), Clock::now());
    const std::string name(32, 'x');
    const auto body =
        answer(encode_request(Signing{name, Digest::sha256, Padding::none, "x"}), store, tickets);
    EXPECT_EQ(decode_trouble(body.value_or("")), "there is no such key");
    EXPECT_FALSE(answer("garbage", store, tickets));
}

}  // namespace
}  // namespace relais::keyd
