// Asking qmail-keyd, the one process that holds the private keys of our certificates and the master keys of
// session tickets. Clients are the processes that serve TLS (smtpd, popup): each connects to the stream
// socket "keys", asks as often as it needs, and reads one answer to each request.
//
//   frame   = length (4 octets, little-endian) body
//   request = 'C' name            the certificate for a server name (SNI; empty: the default one)
//           | 'W'                 the default one now, and again each time that certificates or their control files change
//           | 'S' key digest padding text    signs: key is the SHA-256 of the public key; see Signing
//           | 'T' name            the key of the ticket of this name (16 octets)
//           | 'N'                 a name and key for a new ticket
//   answer  = 'C' named *(length (4 octets) certificate)    DER, the server's own first; none: there is no certificate.
//                                 named is 1 if there are certificates for single names
//           | 'S' ticket signature
//           | 'T' state key ticket    state: see TicketState; key is 64 octets, zero when unknown
//           | 'N' ticket
//           | 'E' text            it cannot be done, and why
//   ticket  = name (16 octets) key (64 octets)              a fresh one, so that a handshake costs one question
//
// The answers that end a connection are those that a handshake asks no more after: a signature and the key of
// a ticket that is known. A client that has another question yet connects again.
//
// qmail-keyd trusts no client with more than this: it signs nothing but what a TLS server signs in a
// handshake, and a ticket's key opens the tickets of that one name only. Clients trust it. The socket has
// mode 0600 and belongs to qmaild; the peer's uid is checked again (SO_PEERCRED).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace relais::keyd {

inline constexpr std::size_t request_limit = 16384;
inline constexpr std::size_t answer_limit = std::size_t{1} << 20;

inline constexpr std::size_t key_name_size = 32;
inline constexpr std::size_t ticket_name_size = 16;
inline constexpr std::size_t ticket_key_size = 64;  // 32 for AES-256, 32 for HMAC

enum class Digest : char { none = '0', sha256 = '2', sha384 = '3', sha512 = '5', sha1 = '1', md5_sha1 = 'm' };
enum class Padding : char { none = '0', pkcs1 = '1', pss = 'p' };

struct Signing {
    std::string_view key;  // SHA-256 of the SubjectPublicKeyInfo
    Digest digest = Digest::none;
    Padding padding = Padding::none;  // of RSA; the salt of PSS is as long as the digest
    std::string_view text;
};

// Views into the frame.
struct CertificateFor {
    std::string_view name;
};
struct Watch {};
struct TicketOf {
    std::string_view name;
};
struct NewTicket {};
using Request = std::variant<CertificateFor, Watch, Signing, TicketOf, NewTicket>;

struct Ticket {
    std::array<unsigned char, ticket_name_size> name{};
    std::array<unsigned char, ticket_key_size> key{};
};

enum class TicketState : char { unknown = '0', good = '1', renew = '2' };

struct Chain {
    bool named = false;
    std::vector<std::string> certificates;  // DER
};

// Bodies, without their length. A decoder answers nothing for what is not exactly right.
std::string encode_request(const Request& request);
std::optional<Request> decode_request(std::string_view body);

std::string encode_chain(const Chain& chain);
std::optional<Chain> decode_chain(std::string_view body);
std::string encode_signature(const Ticket& ticket, std::string_view signature);
struct Signature {
    Ticket ticket;
    std::string octets;
};
std::optional<Signature> decode_signature(std::string_view body);
struct TicketAnswer {
    TicketState state = TicketState::unknown;
    std::array<unsigned char, ticket_key_size> key{};
    Ticket fresh;
};
std::string encode_ticket_answer(const TicketAnswer& answer);
std::optional<TicketAnswer> decode_ticket_answer(std::string_view body);
std::string encode_new_ticket(const Ticket& ticket);
std::optional<Ticket> decode_new_ticket(std::string_view body);
std::string encode_trouble(std::string_view text);
// Why not; nothing if the body is no 'E'.
std::optional<std::string> decode_trouble(std::string_view body);

// Whether the server ends the connection after this answer.
bool is_last_of_handshake(std::string_view body);

std::string frame(std::string_view body);
// The length that a frame's first four octets announce.
std::size_t frame_size(std::string_view head);

// True if text is what a TLS server signs in a handshake: of TLS 1.3 (RFC 8446, 4.4.3) or the parameters of
// an ephemeral key exchange before that (RFC 8422, 5.4; RFC 5246, 7.4.3). Pure.
bool is_handshake_text(std::string_view text);

}  // namespace relais::keyd
