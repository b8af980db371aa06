#include "sasl/messages.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sodium.h>

#include <array>

#include "base/error.h"
#include "base/text.h"

namespace relais::sasl {
namespace {

constexpr std::size_t digest_size = 16;
constexpr char end_of_field = '\x01';

// The value of "auth=Bearer TOKEN"; the characters of RFC 6750.
std::optional<std::string_view> bearer_token(std::string_view field) {
    constexpr std::string_view start = "auth=Bearer ";
    if (!starts_ignoring_case(field, start)) return std::nullopt;
    const std::string_view token = field.substr(start.size());
    for (const char c : token)
        if (c <= ' ' || c >= '\x7f') return std::nullopt;
    return token.empty() ? std::nullopt : std::optional(token);
}

}  // namespace

std::optional<PlainMessage> parse_plain(std::string_view message) {
    const std::size_t first = message.find('\0');
    if (first == std::string_view::npos) return std::nullopt;
    const std::size_t second = message.find('\0', first + 1);
    if (second == std::string_view::npos) return std::nullopt;
    const PlainMessage result{message.substr(0, first), message.substr(first + 1, second - first - 1),
                              message.substr(second + 1)};
    if (result.user.empty() || result.password.empty() ||
        result.password.find('\0') != std::string_view::npos)
        return std::nullopt;
    return result;
}

Secret format_plain(std::string_view user, std::string_view password) {
    constexpr std::string_view nul("\0", 1);
    return Secret::joined({nul, user, nul, password});
}

std::optional<CramMessage> parse_cram(std::string_view message) {
    const std::size_t blank = message.rfind(' ');
    if (blank == std::string_view::npos || blank == 0 || message.size() - blank - 1 != 2 * digest_size)
        return std::nullopt;
    const CramMessage result{message.substr(0, blank), message.substr(blank + 1)};
    if (result.digest.find_first_not_of("0123456789abcdefABCDEF") != std::string_view::npos ||
        result.user.find('\0') != std::string_view::npos)
        return std::nullopt;
    return result;
}

std::string format_cram(std::string_view user, std::string_view password, std::string_view challenge) {
    std::array<unsigned char, digest_size> digest{};
    if (::HMAC(::EVP_md5(), password.data(), static_cast<int>(password.size()),
               reinterpret_cast<const unsigned char*>(challenge.data()), challenge.size(), digest.data(),
               nullptr) == nullptr)
        throw Error(Reaction::temporary, "unable to compute HMAC-MD5");
    std::array<char, 2 * digest_size + 1> text{};
    ::sodium_bin2hex(text.data(), text.size(), digest.data(), digest.size());
    return std::string(user) + " " + text.data();
}

std::optional<BearerMessage> parse_xoauth2(std::string_view message) {
    const auto fields = split(message, end_of_field);
    if (fields.size() != 4 || !fields[2].empty() || !fields[3].empty() ||
        !starts_ignoring_case(fields[0], "user="))
        return std::nullopt;
    const std::string_view user = fields[0].substr(5);
    const auto token = bearer_token(fields[1]);
    if (!token || user.empty() || user.find('\0') != std::string_view::npos) return std::nullopt;
    return BearerMessage{user, *token};
}

std::optional<BearerMessage> parse_oauthbearer(std::string_view message) {
    auto fields = split(message, end_of_field);
    if (fields.size() < 4 || !fields.back().empty() || !fields[fields.size() - 2].empty())
        return std::nullopt;
    std::string_view header = fields.front();
    if (header.size() < 3 || !header.ends_with(',') ||
        (!header.starts_with("n,") && !header.starts_with("y,")))
        return std::nullopt;
    header.remove_prefix(2);
    header.remove_suffix(1);
    if (!header.empty() && !header.starts_with("a=")) return std::nullopt;
    std::optional<std::string_view> token;
    for (std::size_t i = 1; i + 2 < fields.size(); ++i) {
        if (fields[i].find('=') == std::string_view::npos || fields[i].find('\0') != std::string_view::npos)
            return std::nullopt;
        if (!starts_ignoring_case(fields[i], "auth=")) continue;
        if (token) return std::nullopt;
        token = bearer_token(fields[i]);
        if (!token) return std::nullopt;
    }
    if (!token) return std::nullopt;
    return BearerMessage{header.empty() ? header : header.substr(2), *token};
}

Secret format_xoauth2(std::string_view user, std::string_view token) {
    return Secret::joined({"user=", user, "\x01", "auth=Bearer ", token, "\x01\x01"});
}

}  // namespace relais::sasl
