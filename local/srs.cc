#include "local/srs.h"

#include <sodium.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "mail/address.h"

namespace relais::local {
namespace {

constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
constexpr std::size_t hash_size = 6;
constexpr std::size_t day_size = 2;
constexpr std::int64_t day_seconds = 86400;
constexpr std::int64_t day_period = 1024;
constexpr std::string_view first_tag = "SRS0";
constexpr std::string_view next_tag = "SRS1";
constexpr std::string_view separators = "=+-";

const unsigned char* octets(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

std::int64_t day_of(std::int64_t now) {
    return ((now / day_seconds) % day_period + day_period) % day_period;
}

std::string day_text(std::int64_t day) {
    return {digits[static_cast<std::size_t>(day / 32)], digits[static_cast<std::size_t>(day % 32)]};
}

std::optional<std::int64_t> parse_day(std::string_view text) {
    if (text.size() != day_size) return std::nullopt;
    std::int64_t day = 0;
    for (const char c : text) {
        const std::size_t digit =
            digits.find(lower(c) == c && c >= 'a' ? static_cast<char>(c - 'a' + 'A') : c);
        if (digit == std::string_view::npos) return std::nullopt;
        day = day * 32 + static_cast<std::int64_t>(digit);
    }
    return day;
}

// "TAG" and a separator in front.
bool has_tag(std::string_view local, std::string_view tag) {
    return local.size() > tag.size() && starts_ignoring_case(local, tag) &&
           separators.find(local[tag.size()]) != std::string_view::npos;
}

// What stands before the next '='; nothing if there is none.
std::optional<std::string_view> take_part(std::string_view& rest) {
    const std::size_t end = rest.find('=');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view part = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    return part;
}

bool is_host(std::string_view text) {
    return !text.empty() && text.size() <= 255 && text.find('.') != std::string_view::npos &&
           std::all_of(text.begin(), text.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '.' || c == '-' || static_cast<unsigned char>(c) >= 128;
           });
}

std::optional<std::string> within_limits(std::string address) {
    return address.size() <= mail::address_limit ? std::optional(std::move(address)) : std::nullopt;
}

}  // namespace

Srs::Srs(std::string domain, std::vector<std::string> secrets)
    : domain_(lower(domain)), secrets_(std::move(secrets)) {
    std::erase_if(secrets_, [](const std::string& secret) { return secret.size() < srs_secret_least; });
    if (secrets_.size() > srs_secrets_limit) secrets_.resize(srs_secrets_limit);
}

Srs::~Srs() {
    for (std::string& secret : secrets_) sodium_memzero(secret.data(), secret.size());
}

bool Srs::is_rewritten(std::string_view address) const {
    const mail::AddressParts parts = mail::split_address(address);
    return !domain_.empty() && equal_ignoring_case(parts.domain, domain_) &&
           (has_tag(parts.local, first_tag) || has_tag(parts.local, next_tag));
}

std::optional<std::string> Srs::rewrite(std::string_view sender, std::int64_t now) const {
    const mail::AddressParts parts = mail::split_address(sender);
    if (!works() || parts.local.empty() || parts.domain.empty() || equal_ignoring_case(parts.domain, domain_))
        return std::nullopt;
    if (!is_host(parts.domain)) return std::nullopt;
    const std::string host(parts.domain);
    const std::string local(parts.local);
    std::string opaque;
    if (has_tag(local, next_tag)) {
        // Who began is known by it, and the forwarder between needs not hear of the bounce.
        std::string_view rest = std::string_view(local).substr(next_tag.size() + 1);
        if (take_part(rest)) {
            const auto first = take_part(rest);
            if (first && is_host(*first)) opaque.append(*first).append("=").append(rest);
        }
    } else if (has_tag(local, first_tag)) {
        opaque = host + "=" + local.substr(first_tag.size());
    }
    if (!opaque.empty())
        return within_limits(std::string(next_tag) + "=" + hash(secrets_.front(), opaque) + "=" + opaque +
                             "@" + domain_);
    const std::string day = day_text(day_of(now));
    const std::string signed_text = day + "=" + host + "=" + local;
    return within_limits(std::string(first_tag) + "=" + hash(secrets_.front(), signed_text) + "=" +
                         signed_text + "@" + domain_);
}

std::optional<std::string> Srs::reverse(std::string_view address, std::int64_t now) const {
    if (!works() || !is_rewritten(address)) return std::nullopt;
    const std::string_view local = mail::split_address(address).local;
    const std::string_view rest = local.substr(first_tag.size() + 1);
    return has_tag(local, first_tag) ? reverse_first(rest, now) : reverse_next(rest);
}

std::optional<std::string> Srs::reverse_first(std::string_view rest, std::int64_t now) const {
    const auto said = take_part(rest);
    if (!said || !is_genuine(*said, rest)) return std::nullopt;
    const auto day = take_part(rest);
    const auto made = day ? parse_day(*day) : std::nullopt;
    const auto host = made ? take_part(rest) : std::nullopt;
    if (!host || !is_host(*host) || rest.empty()) return std::nullopt;
    // One of tomorrow is one of a clock that was set back since.
    const std::int64_t age = (day_of(now) - *made + day_period) % day_period;
    if (age > srs_days && age != day_period - 1) return std::nullopt;
    return within_limits(std::string(rest) + "@" + std::string(*host));
}

std::optional<std::string> Srs::reverse_next(std::string_view rest) const {
    const auto said = take_part(rest);
    if (!said || !is_genuine(*said, rest)) return std::nullopt;
    const auto host = take_part(rest);
    if (!host || !is_host(*host) || rest.size() < 2 || separators.find(rest[0]) == std::string_view::npos)
        return std::nullopt;
    return within_limits(std::string(first_tag) + std::string(rest) + "@" + std::string(*host));
}

std::string Srs::hash(std::string_view secret, std::string_view text) {
    std::array<unsigned char, crypto_auth_hmacsha256_BYTES> mac{};
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, octets(secret), secret.size());
    const std::string small = lower(text);
    crypto_auth_hmacsha256_update(&state, octets(small), small.size());
    crypto_auth_hmacsha256_final(&state, mac.data());
    sodium_memzero(&state, sizeof state);
    std::string result;
    for (std::size_t i = 0; i < hash_size; ++i) result += digits[mac[i] % digits.size()];
    return result;
}

bool Srs::is_genuine(std::string_view said, std::string_view text) const {
    if (said.size() != hash_size) return false;
    const std::string small = lower(said);
    bool genuine = false;
    for (const std::string& secret : secrets_)
        genuine = sodium_memcmp(small.data(), lower(hash(secret, text)).data(), hash_size) == 0 || genuine;
    return genuine;
}

}  // namespace relais::local
