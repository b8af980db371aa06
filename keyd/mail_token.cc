#include "keyd/mail_token.h"

#include <sodium.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/octets.h"
#include "base/text.h"

namespace relais::keyd {
namespace {

constexpr std::size_t head_size = 16;
constexpr std::size_t mac_size = crypto_auth_hmacsha256_BYTES;
static_assert(token_secret_size == crypto_auth_hmacsha256_KEYBYTES);

const unsigned char* octets(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

bool MailGrant::allows(std::string_view domain) const {
    return std::any_of(domains.begin(), domains.end(), [&](const std::string& allowed) {
        return allowed == any_domain || allowed == domain;
    });
}

std::string make_mail_token(std::string_view secret, MailGrant& grant) {
    std::string token;
    append_le(token, grant.message, 8);
    append_le(token, static_cast<std::uint64_t>(grant.expires), 8);
    std::erase_if(grant.domains, [&](const std::string& domain) {
        if (token.size() + 1 + domain.size() + mac_size > mail_token_limit) return true;
        if (token.size() > head_size) token += ' ';
        token += domain;
        return false;
    });
    std::array<unsigned char, mac_size> mac{};
    crypto_auth_hmacsha256(mac.data(), octets(token), token.size(), octets(secret));
    return token.append(reinterpret_cast<const char*>(mac.data()), mac.size());
}

std::optional<MailGrant> open_mail_token(std::string_view secret, std::string_view token, std::int64_t now) {
    if (token.size() < head_size + mac_size || token.size() > mail_token_limit) return std::nullopt;
    const std::string_view said = token.substr(0, token.size() - mac_size);
    if (crypto_auth_hmacsha256_verify(octets(token) + said.size(), octets(said), said.size(),
                                      octets(secret)) != 0)
        return std::nullopt;
    MailGrant grant{get_le(said, 0, 8), static_cast<std::int64_t>(get_le(said, 8, 8)), {}};
    if (grant.expires < now) return std::nullopt;
    for (const std::string_view domain : split(said.substr(head_size), ' '))
        if (!domain.empty()) grant.domains.emplace_back(domain);
    return grant;
}

std::string read_token_secret(int fd) {
    std::string secret(token_secret_size, '\0');
    const ssize_t count = ::pread(fd, secret.data(), secret.size(), 0);
    if (count != static_cast<ssize_t>(secret.size()))
        throw_errno("read", "the secret for signing mail", count < 0 ? errno : EPIPE);
    return secret;
}

}  // namespace relais::keyd
