// What qmail-send gives an order along: the word that this message may be signed in the name of these domains
// (DKIM). qmail-remote, which speaks with hostile servers, hands it on to qmail-keyd and cannot make one.
//
//   token = message (8 octets, little-endian) expiry (8, unix seconds) domains (SP between) mac (32)
//
// mac is HMAC-SHA256 of what stands before it, with a secret that qmail-start makes and only qmail-send and
// qmail-keyd have. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relais::keyd {

inline constexpr std::size_t token_secret_size = 32;
// Octets of a token.
inline constexpr std::size_t mail_token_limit = 4096;
// Among the domains: any.
inline constexpr std::string_view any_domain = "*";

struct MailGrant {
    std::uint64_t message = 0;
    std::int64_t expires = 0;            // unix seconds; good until then
    std::vector<std::string> domains{};  // lower case

    bool allows(std::string_view domain) const;
};

// Domains that do not fit are taken out of the grant, so that nobody asks for what the token does not say.
std::string make_mail_token(std::string_view secret, MailGrant& grant);
// Nothing if somebody else made it, or its time is over. now: unix seconds.
std::optional<MailGrant> open_mail_token(std::string_view secret, std::string_view token, std::int64_t now);

// The secret in a file that was opened for this process. Throws Error.
std::string read_token_secret(int fd);

}  // namespace relais::keyd
