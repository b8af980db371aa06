#include "tls/dane.h"

#include <openssl/err.h>

#include "base/hexadecimal.h"
#include "base/text.h"
#include "tls/openssl.h"

namespace relais::tls {
namespace {

constexpr int usage_ta = 2, usage_ee = 3;
constexpr int selector_certificate = 0, selector_key = 1;
constexpr int matching_full = 0, matching_sha256 = 1, matching_sha512 = 2;

std::optional<std::uint8_t> small_number(std::string_view text) {
    if (text.empty() || text.size() > 3 || text.find_first_not_of("0123456789") != std::string_view::npos)
        return std::nullopt;
    int value = 0;
    for (const char digit : text) value = value * 10 + (digit - '0');
    if (value > 255) return std::nullopt;
    return static_cast<std::uint8_t>(value);
}

std::optional<int> hexadecimal_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return std::nullopt;
}

std::optional<std::string> octets_of(std::string_view digits) {
    if (digits.size() % 2 != 0) return std::nullopt;
    std::string octets;
    for (std::size_t i = 0; i < digits.size(); i += 2) {
        const auto high = hexadecimal_digit(digits[i]), low = hexadecimal_digit(digits[i + 1]);
        if (!high || !low) return std::nullopt;
        octets += static_cast<char>(*high << 4 | *low);
    }
    return octets;
}

// All of the octets are one certificate whose key can be used, or one such key.
bool is_object(int selector, const std::string& octets) {
    const auto* begin = reinterpret_cast<const unsigned char*>(octets.data());
    const unsigned char* at = begin;
    const auto size = static_cast<long>(octets.size());
    bool right = false;
    if (selector == selector_certificate) {
        const X509Ptr certificate(d2i_X509(nullptr, &at, size));
        right = certificate && X509_get0_pubkey(certificate.get()) != nullptr;
    } else {
        const KeyPtr key(d2i_PUBKEY(nullptr, &at, size));
        right = key != nullptr;
    }
    ERR_clear_error();
    return right && at == begin + size;
}

}  // namespace

std::optional<Tlsa> parse_tlsa(std::string_view text) {
    const auto words = split(text, ' ');
    if (words.size() != 4) return std::nullopt;
    const auto usage = small_number(words[0]), selector = small_number(words[1]),
               matching = small_number(words[2]);
    auto data = octets_of(words[3]);
    if (!usage || !selector || !matching || !data) return std::nullopt;
    return Tlsa{*usage, *selector, *matching, *std::move(data)};
}

std::string text_of(const Tlsa& record) {
    return std::to_string(record.usage) + " " + std::to_string(record.selector) + " " +
           std::to_string(record.matching) + " " + hexadecimal(record.data);
}

bool is_usable(const Tlsa& record) {
    if (record.usage != usage_ta && record.usage != usage_ee) return false;
    if (record.selector != selector_certificate && record.selector != selector_key) return false;
    switch (record.matching) {
        case matching_full:
            return is_object(record.selector, record.data);
        case matching_sha256:
            return record.data.size() == 32;
        case matching_sha512:
            return record.data.size() == 64;
        default:
            return false;
    }
}

}  // namespace relais::tls
