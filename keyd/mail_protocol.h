// Asking qmail-keyd for signatures of mail (DKIM). Clients are the processes of qmail-remote: each connects
// to the stream socket "signing", asks as often as it needs, and reads one answer to each request. Frames are
// those of keyd/protocol.h, but nothing of one protocol is answered on the other's socket: a key for mail
// never signs a handshake, one for handshakes never signs mail.
//
//   request = 'M' size (4 octets, little-endian) token *(domain NUL)    asks for the keys of the first domain
//                                                                       that has some
//           | 'G' size token domain NUL selector NUL hash    asks to sign the hash (SHA-256, 32 octets)
//   answer  = 'M' [domain NUL *(type selector NUL)]    type: 'r' RSA, 'e' Ed25519; no domain: none has a key
//           | 'G' signature
//           | 'E' text            it cannot be done, and why
//
// Without a token that names the domain (keyd/mail_token.h) nothing is told and nothing signed. The socket
// has mode 0600 and belongs to qmailr; the peer's uid is checked again (SO_PEERCRED).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "authres/dkim_key.h"

namespace relais::keyd {

inline constexpr std::size_t mail_hash_size = 32;
// Keys of a domain that are in use at once.
inline constexpr std::size_t mail_keys_limit = 10;

// Views into the frame.
struct KeysWanted {
    std::string_view token;
    std::vector<std::string_view> domains{};
};
struct MailSigning {
    std::string_view token;
    std::string_view domain;
    std::string_view selector;
    std::string_view hash;
};
using MailRequest = std::variant<KeysWanted, MailSigning>;

struct MailKeyName {
    authres::KeyType type = authres::KeyType::rsa;
    std::string selector;
    bool operator==(const MailKeyName&) const = default;
};
struct KeysFound {
    std::string domain{};  // "": none of those asked about has a key
    std::vector<MailKeyName> keys{};
    bool operator==(const KeysFound&) const = default;
};

// Bodies, without their length. A decoder answers nothing for what is not exactly right.
std::string encode_mail_request(const MailRequest& request);
std::optional<MailRequest> decode_mail_request(std::string_view body);
std::string encode_keys_found(const KeysFound& found);
std::optional<KeysFound> decode_keys_found(std::string_view body);
std::string encode_mail_signature(std::string_view signature);
std::optional<std::string> decode_mail_signature(std::string_view body);

}  // namespace relais::keyd
