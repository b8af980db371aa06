// What clients say in PLAIN, CRAM-MD5, XOAUTH2 and OAUTHBEARER: written and read. Views point into the
// message. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sasl/secret.h"

namespace relais::sasl {

// PLAIN: [authorization identity] NUL user NUL password. Nothing for any other number of NULs, an empty user
// or password.
struct PlainMessage {
    std::string_view authorization;
    std::string_view user;
    std::string_view password;
};
std::optional<PlainMessage> parse_plain(std::string_view message);
Secret format_plain(std::string_view user, std::string_view password);

// CRAM-MD5: user, a blank, HMAC-MD5(password, challenge) in 32 hexadecimal digits. A user's name may have
// blanks in it.
struct CramMessage {
    std::string_view user;
    std::string_view digest;
};
std::optional<CramMessage> parse_cram(std::string_view message);
// Throws Error if OpenSSL refuses MD5.
std::string format_cram(std::string_view user, std::string_view password, std::string_view challenge);

// Both bearer mechanisms. authorization is empty where there was none.
struct BearerMessage {
    std::string_view user;
    std::string_view token;
};
// XOAUTH2: "user=" user ^A "auth=Bearer " token ^A ^A.
std::optional<BearerMessage> parse_xoauth2(std::string_view message);
// OAUTHBEARER: "n,a=" user "," ^A [ "host=" ... ^A ] [ "port=" ... ^A ] "auth=Bearer " token ^A ^A. The user
// is decoded by the caller with decode_saslname (sasl/scram.h); it may be missing.
std::optional<BearerMessage> parse_oauthbearer(std::string_view message);
Secret format_xoauth2(std::string_view user, std::string_view token);

}  // namespace relais::sasl
