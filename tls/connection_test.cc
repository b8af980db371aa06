#include "tls/connection.h"

#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <atomic>
#include <future>
#include <thread>

#include "base/fd.h"
#include "base/io.h"
#include "tls/rehearsal.h"
#include "tls/test_certificate.h"

namespace relais::tls {
namespace {

Deadline soon() {
    return Deadline::in(Seconds(60));
}

struct Ends {
    Ends() {
        int both[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both), 0);
        server = Fd(both[0]);
        client = Fd(both[1]);
    }
    Fd server;
    Fd client;
};

class TlsConnection : public testing::Test {
  protected:
    TlsConnection() : certificate_(TestCertificate::make("mail.test")) {
        server_.use_certificate(certificate_.chain, certificate_.key);
    }

    void shake_hands(const ClientOptions& options = {}) {
        auto accepting =
            std::async(std::launch::async, [&] { return accept(ends_.server.get(), server_, soon()); });
        mine_ = connect(ends_.client.get(), client_, options, soon());
        theirs_ = accepting.get();
    }

    // What a handshake of the client alone comes to.
    HandshakeFailed failure(const ClientOptions& options, Deadline deadline) {
        try {
            connect(ends_.client.get(), client_, options, deadline);
        } catch (const HandshakeFailed& failed) {
            return failed;
        }
        ADD_FAILURE() << "the handshake succeeded";
        return HandshakeFailed("", 0, 0);
    }

    TestCertificate certificate_;
    ServerContext server_;
    ClientContext client_;
    Ends ends_;
    std::unique_ptr<Connection> theirs_;
    std::unique_ptr<Connection> mine_;
};

std::string read_text(Transport& transport) {
    std::string buffer(65536, '\0');
    buffer.resize(transport.read_some(buffer, soon()));
    return buffer;
}

TEST_F(TlsConnection, CarriesOctetsBothWays) {
    shake_hands({.server_name = "mail.test"});
    mine_->write_all("EHLO me\r\n", soon());
    EXPECT_EQ(read_text(*theirs_), "EHLO me\r\n");
    theirs_->write_all("250 ok\r\n", soon());
    EXPECT_EQ(read_text(*mine_), "250 ok\r\n");
    EXPECT_EQ(theirs_->description().version, "TLSv1.3");
    EXPECT_EQ(theirs_->description().server_name, "mail.test");
    EXPECT_FALSE(theirs_->description().resumed);
    EXPECT_EQ(mine_->description().peer_subject, "CN=mail.test");
    EXPECT_FALSE(mine_->description().peer_verified);
    EXPECT_EQ(mine_->description().cipher, theirs_->description().cipher);
}

TEST_F(TlsConnection, BothSidesHaveTheSameChannelBindings) {
    shake_hands();
    EXPECT_EQ(mine_->exporter_binding().size(), 32u);
    EXPECT_EQ(mine_->exporter_binding(), theirs_->exporter_binding());
    EXPECT_EQ(mine_->end_point_binding().size(), 32u);
    EXPECT_EQ(mine_->end_point_binding(), theirs_->end_point_binding());
}

// No group that the library takes by default is shut out: what it learns later counts by itself.
TEST_F(TlsConnection, TakesEachGroupOfTheLibrary) {
    const auto group = [this](const char* of_client) {
        ends_ = Ends();
        EXPECT_EQ(SSL_CTX_set1_groups_list(client_.native(), of_client), 1);
        shake_hands();
        return SSL_group_to_name(mine_->native(),
                                 static_cast<int>(SSL_get_negotiated_group(mine_->native())));
    };
    EXPECT_STREQ(group("X25519:P-521"), "x25519");
    for (const char* other : {"ffdhe3072", "X25519MLKEM768"}) {
        const SslCtxPtr library(SSL_CTX_new(TLS_method()));
        if (SSL_CTX_set1_groups_list(library.get(), other) != 1) continue;
        EXPECT_STRCASEEQ(group(other), other);
    }
}

TEST_F(TlsConnection, BindsTls12ByItsExporterToo) {
    SSL_CTX_set_max_proto_version(client_.native(), TLS1_2_VERSION);
    shake_hands();
    EXPECT_EQ(mine_->description().version, "TLSv1.2");
    EXPECT_EQ(mine_->exporter_binding().size(), 32u);
    EXPECT_EQ(mine_->exporter_binding(), theirs_->exporter_binding());
}

TEST_F(TlsConnection, TellsAnEndFromACut) {
    shake_hands();
    mine_->write_all("last", soon());
    mine_->shut_down();
    ends_.client.reset();
    EXPECT_EQ(read_text(*theirs_), "last");
    EXPECT_EQ(read_text(*theirs_), "");
    EXPECT_EQ(read_text(*theirs_), "");
}

TEST_F(TlsConnection, AWriteAfterTheEndFails) {
    shake_hands();
    mine_->shut_down();
    ends_.client.reset();
    EXPECT_EQ(read_text(*theirs_), "");
    EXPECT_THROW(theirs_->write_all("421 too late\r\n", soon()), Error);
    EXPECT_THROW(theirs_->try_write("421 too late\r\n"), Error);
}

TEST_F(TlsConnection, ReportsACutStream) {
    shake_hands();
    mine_->write_all("half a mess", soon());
    ::shutdown(ends_.client.get(), SHUT_WR);
    EXPECT_EQ(read_text(*theirs_), "half a mess");
    try {
        read_text(*theirs_);
        FAIL() << "a cut stream looked like an end";
    } catch (const Error& error) {
        EXPECT_EQ(error.number(), ECONNABORTED);
    }
}

TEST_F(TlsConnection, CountsDecryptedOctetsAsPending) {
    shake_hands();
    mine_->write_all("one two", soon());
    std::string three(3, '\0');
    EXPECT_EQ(theirs_->read_some(three, soon()), 3u);
    EXPECT_TRUE(theirs_->has_pending());
    EXPECT_EQ(read_text(*theirs_), " two");
    EXPECT_FALSE(theirs_->has_pending());
}

TEST_F(TlsConnection, AReaderRunsOverIt) {
    shake_hands();
    Reader reader(ends_.server.get());
    reader.switch_to(*theirs_);
    mine_->write_all("a\nb\n", soon());
    std::string line;
    EXPECT_EQ(reader.read_line(line, 100, soon()), Reader::Line::complete);
    EXPECT_EQ(line, "a");
    EXPECT_TRUE(reader.has_buffered());
    EXPECT_EQ(reader.read_line(line, 100, soon()), Reader::Line::complete);
    EXPECT_FALSE(reader.has_buffered());
}

// What comes together leaves as one packet: the client reads it with one recv(2).
TEST_F(TlsConnection, WhatTlsSaysLeavesWithTheReply) {
    shake_hands();
    int left = 0;
    ASSERT_EQ(::ioctl(ends_.client.get(), FIONREAD, &left), 0);
    EXPECT_EQ(left, 0) << "the ticket did not wait";
    // It does not wait for ever: a server that listens has said it.
    mine_->write_all("EHLO me\r\n", soon());
    EXPECT_EQ(read_text(*theirs_), "EHLO me\r\n");
    ASSERT_EQ(::ioctl(ends_.client.get(), FIONREAD, &left), 0);
    EXPECT_GT(left, 0);
    std::string none(10, ' ');
    EXPECT_EQ(mine_->try_read(none).wants, Transport::Wants::read);
    theirs_->write_last("221 bye\r\n", soon());
    theirs_->shut_down();
    EXPECT_EQ(read_text(*mine_), "221 bye\r\n");
    ASSERT_EQ(::ioctl(ends_.client.get(), FIONREAD, &left), 0);
    EXPECT_EQ(left, 0) << "the end came in a packet of its own";
    EXPECT_EQ(read_text(*mine_), "");
}

TEST_F(TlsConnection, ReadsAheadAreNoReadsOfTheSocket) {
    shake_hands();
    std::string buffer(100, '\0');
    mine_->write_all("one", soon());
    mine_->write_all("two", soon());
    EXPECT_EQ(theirs_->try_pending(buffer).wants, Transport::Wants::read);
    EXPECT_EQ(theirs_->read_some(buffer, soon()), 3u);
    EXPECT_EQ(theirs_->try_pending(buffer).count, 3u);
    EXPECT_EQ(theirs_->try_pending(buffer).wants, Transport::Wants::read);
}

TEST_F(TlsConnection, ASocketThatWaitsHasItsOwnTimeout) {
    shake_hands();
    const timeval limit{0, 20000};
    ASSERT_EQ(::setsockopt(ends_.server.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
    theirs_->let_socket_wait();
    std::string buffer(100, '\0');
    try {
        theirs_->read_some(buffer, Deadline::in(std::chrono::milliseconds(60)));
        FAIL() << "there was nothing to read";
    } catch (const Error& error) {
        EXPECT_EQ(error.number(), ETIMEDOUT);
    }
    mine_->write_all("late", soon());
    EXPECT_EQ(theirs_->read_some(buffer, soon()), 4u);
}

TEST_F(TlsConnection, TriesDoNotWait) {
    shake_hands();
    std::string buffer(100, '\0');
    const Transport::Progress none = theirs_->try_read(buffer);
    EXPECT_EQ(none.count, 0u);
    EXPECT_EQ(none.wants, Transport::Wants::read);
    EXPECT_FALSE(none.ended);
    // Fills the socket's buffers until it would have to wait, then the reader catches up.
    const std::string block(16384, 'x');
    std::size_t sent = 0;
    for (;;) {
        const Transport::Progress progress = mine_->try_write(block);
        sent += progress.count;
        if (progress.wants == Transport::Wants::write) break;
        ASSERT_EQ(progress.wants, Transport::Wants::nothing);
    }
    std::size_t received = 0;
    while (received < sent) received += read_text(*theirs_).size();
    for (bool again = true; again;) {
        const Transport::Progress progress = mine_->try_write(block);
        sent += progress.count;
        again = progress.count == 0;
    }
    while (received < sent) received += read_text(*theirs_).size();
    EXPECT_EQ(received, sent);
}

TEST_F(TlsConnection, ATryEndsHoweverMuchTlsHasToSayItself) {
    shake_hands();
    // Its ticket leaves with the first octets.
    theirs_->write_all("x", soon());
    EXPECT_EQ(read_text(*mine_), "x");
    SSL* const server = theirs_->native();
    BIO* const memory = BIO_new(BIO_s_mem());
    SSL_set0_wbio(server, memory);
    for (int i = 0; i < 6000; ++i) {
        ASSERT_EQ(SSL_key_update(server, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
        ASSERT_EQ(SSL_do_handshake(server), 1);
    }
    char* flood = nullptr;
    const auto size = static_cast<std::size_t>(BIO_get_mem_data(memory, &flood));
    ASSERT_EQ(::send(ends_.server.get(), flood, size, MSG_DONTWAIT), static_cast<ssize_t>(size));
    std::string buffer(100, '\0');
    std::size_t tries = 0;
    for (int left = 1; left > 0; ++tries) {
        const Transport::Progress progress = mine_->try_read(buffer);
        EXPECT_EQ(progress.wants, Transport::Wants::read);
        ASSERT_EQ(::ioctl(ends_.client.get(), FIONREAD, &left), 0);
    }
    EXPECT_GT(tries, 1U);
}

// TLS 1.2 alone has it; a server that asks for it again and again gets no second handshake, and what it says
// is still heard.
TEST_F(TlsConnection, NobodyRenegotiates) {
    SSL_CTX_set_max_proto_version(server_.native(), TLS1_2_VERSION);
    shake_hands();
    SSL* const server = theirs_->native();
    SSL_clear_options(server, SSL_OP_NO_RENEGOTIATION);
    for (int i = 0; i < 3; ++i) {
        ASSERT_EQ(SSL_renegotiate(server), 1);
        ASSERT_EQ(SSL_do_handshake(server), 1);  // a HelloRequest has been sent
    }
    std::string buffer(100, '\0');
    EXPECT_EQ(mine_->try_read(buffer).wants, Transport::Wants::read);
    const auto tell = std::async(std::launch::async, [&] {
        // It has to read our refusal, and may then speak or give up: as OpenSSL likes.
        try {
            read_text(*theirs_);
        } catch (const Error&) {
        }
    });
    EXPECT_EQ(SSL_get_state(mine_->native()), TLS_ST_OK);
    mine_->write_all("x", soon());
}

TEST_F(TlsConnection, AHandshakeHasADeadline) {
    EXPECT_EQ(failure({}, Deadline::in(std::chrono::milliseconds(50))).number(), ETIMEDOUT);
}

TEST_F(TlsConnection, ADripDoesNotExtendTheDeadline) {
    std::atomic<bool> stop = false;
    auto dripping = std::async(std::launch::async, [&] {
        // The head of a record that announces much more.
        std::string octets("\x16\x03\x03\x40", 4);
        for (std::size_t i = 0; !stop; ++i) {
            const char octet = i < octets.size() ? octets[i] : '\1';
            if (::send(ends_.server.get(), &octet, 1, MSG_NOSIGNAL) < 0) return;
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
    });
    EXPECT_EQ(failure({}, Deadline::in(std::chrono::milliseconds(200))).number(), ETIMEDOUT);
    stop = true;
    dripping.get();
}

TEST_F(TlsConnection, AClosedPeerIsNotAProtocolError) {
    ends_.server.reset();
    const int number = failure({}, soon()).number();
    EXPECT_TRUE(number == ECONNRESET || number == EPIPE) << number;
}

TEST_F(TlsConnection, GarbageIsAProtocolError) {
    write_all(ends_.server.get(), "220 this is no TLS at all\r\n", soon());
    const HandshakeFailed failed = failure({}, soon());
    EXPECT_EQ(failed.number(), 0);
    EXPECT_NE(std::string(failed.what()).find("TLS handshake failed: "), std::string::npos);
}

TEST_F(TlsConnection, VerifiesNamesWhereAsked) {
    BIO* const memory =
        BIO_new_mem_buf(certificate_.chain.data(), static_cast<int>(certificate_.chain.size()));
    const X509Ptr root(PEM_read_bio_X509(memory, nullptr, nullptr, nullptr));
    BIO_free(memory);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(client_.native()), root.get());
    shake_hands({.verify_name = "mail.test"});
    EXPECT_TRUE(mine_->description().peer_verified);
    ends_ = Ends();
    auto accepting = std::async(std::launch::async, [&] {
        EXPECT_THROW(accept(ends_.server.get(), server_, soon()), HandshakeFailed);
    });
    EXPECT_EQ(failure({.verify_name = "other.test"}, soon()).verify_result(), X509_V_ERR_HOSTNAME_MISMATCH);
    accepting.get();
}

TEST_F(TlsConnection, ResumesASession) {
    shake_hands();
    theirs_->write_all("x", soon());
    EXPECT_EQ(read_text(*mine_), "x");
    const SessionPtr session = mine_->session();
    ends_ = Ends();
    shake_hands({.session = session.get()});
    EXPECT_TRUE(mine_->description().resumed);
    EXPECT_TRUE(theirs_->description().resumed);
}

// A resumed session is among what is rehearsed, and a server that cannot speak is no trouble of the caller's.
TEST_F(TlsConnection, IsRehearsed) {
    EXPECT_TRUE(rehearse(server_));
    EXPECT_FALSE(rehearse(ServerContext()));
    shake_hands();
    EXPECT_FALSE(theirs_->description().resumed);
}

}  // namespace
}  // namespace relais::tls
