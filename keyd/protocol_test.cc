#include "keyd/protocol.h"

#include <gtest/gtest.h>

namespace relais::keyd {
namespace {

using namespace std::string_literals;

const std::string key(32, 'k');
const std::string tls13 =
    std::string(64, ' ') + "TLS 1.3, server CertificateVerify\0"s + std::string(32, 'h');

TEST(KeydProtocol, RequestsComeBackAsTheyWere) {
    const std::string body = encode_request(Signing{key, Digest::sha384, Padding::pss, "text"});
    const auto decoded = decode_request(body);
    ASSERT_TRUE(decoded);
    const auto& signing = std::get<Signing>(*decoded);
    EXPECT_EQ(signing.key, key);
    EXPECT_EQ(signing.digest, Digest::sha384);
    EXPECT_EQ(signing.padding, Padding::pss);
    EXPECT_EQ(signing.text, "text");
    EXPECT_EQ(std::get<CertificateFor>(*decode_request("Cmail.test")).name, "mail.test");
    EXPECT_EQ(std::get<TicketOf>(*decode_request("T0123456789abcdef")).name, "0123456789abcdef");
    EXPECT_TRUE(std::holds_alternative<Watch>(*decode_request("W")));
    EXPECT_TRUE(std::holds_alternative<NewTicket>(*decode_request("N")));
}

TEST(KeydProtocol, RefusesWhatIsNoRequest) {
    for (const std::string& body :
         {""s, "X"s, "Wx"s, "Nx"s, "T"s, "T"s + std::string(17, 'x'), "S"s, "S"s + std::string(33, '2'),
          "S" + key + "90", "S" + key + "2x", "C" + std::string(256, 'x')})
        EXPECT_FALSE(decode_request(body)) << body;
}

TEST(KeydProtocol, AnswersComeBackAsTheyWere) {
    const auto chain = decode_chain(encode_chain({true, {"one", std::string(1000, 'x')}}));
    ASSERT_TRUE(chain);
    EXPECT_TRUE(chain->named);
    EXPECT_EQ(chain->certificates, (std::vector<std::string>{"one", std::string(1000, 'x')}));
    EXPECT_TRUE(decode_chain(encode_chain({}))->certificates.empty());
    Ticket ticket;
    ticket.name.fill(1);
    ticket.key.fill(2);
    const auto signature = decode_signature(encode_signature(ticket, "octets"));
    ASSERT_TRUE(signature);
    EXPECT_EQ(signature->octets, "octets");
    EXPECT_EQ(signature->ticket.key, ticket.key);
    TicketAnswer answer{TicketState::renew, {}, ticket};
    answer.key.fill(3);
    const auto decoded = decode_ticket_answer(encode_ticket_answer(answer));
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->state, TicketState::renew);
    EXPECT_EQ(decoded->key, answer.key);
    EXPECT_EQ(decoded->fresh.name, ticket.name);
    EXPECT_EQ(decode_new_ticket(encode_new_ticket(ticket))->name, ticket.name);
    EXPECT_EQ(decode_trouble(encode_trouble("why")), "why");
    EXPECT_FALSE(decode_chain("C0\x10\0\0\0short"s));
    EXPECT_FALSE(decode_signature("S123"));
    EXPECT_FALSE(decode_new_ticket("N123"));
}

TEST(KeydProtocol, KnowsWhatAHandshakeAsksLast) {
    TicketAnswer known;
    known.state = TicketState::renew;
    EXPECT_TRUE(is_last_of_handshake(encode_ticket_answer(known)));
    EXPECT_TRUE(is_last_of_handshake(encode_signature({}, "signature")));
    EXPECT_FALSE(is_last_of_handshake(encode_ticket_answer({})));
    EXPECT_FALSE(is_last_of_handshake(encode_new_ticket({})));
    EXPECT_FALSE(is_last_of_handshake(encode_chain({})));
    EXPECT_FALSE(is_last_of_handshake(encode_trouble("there is no such key")));
}

TEST(KeydProtocol, SignsOnlyHandshakes) {
    EXPECT_TRUE(is_handshake_text(tls13));
    EXPECT_TRUE(is_handshake_text(tls13 + std::string(16, 'h')));
    EXPECT_FALSE(is_handshake_text(tls13 + "x"));
    EXPECT_FALSE(is_handshake_text(""));
    EXPECT_FALSE(is_handshake_text(std::string(300, ' ')));
    EXPECT_FALSE(is_handshake_text("-----BEGIN CERTIFICATE REQUEST-----"));
    // A client's own signature (mutual TLS) is none that a server makes.
    EXPECT_FALSE(is_handshake_text(std::string(64, ' ') + "TLS 1.3, client CertificateVerify\0"s +
                                   std::string(32, 'h')));
    const std::string randoms(64, 'r');
    EXPECT_TRUE(is_handshake_text(randoms + "\x03\x00\x1d\x20"s + std::string(32, 'p')));
    EXPECT_FALSE(is_handshake_text(randoms + "\x03\x00\x1d\x20"s + std::string(33, 'p')));
    EXPECT_TRUE(is_handshake_text(randoms + "\0\1p\0\1g\0\1y"s));
    EXPECT_FALSE(is_handshake_text(randoms + "\0\1p\0\1g\0\1yz"s));
    EXPECT_FALSE(is_handshake_text(randoms));
}

}  // namespace
}  // namespace relais::keyd
