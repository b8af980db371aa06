#include "sasl/base64.h"

#include <array>
#include <span>

namespace relais::sasl {
namespace {

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr unsigned no_digit = 64;

constexpr std::array<unsigned char, 256> make_values() {
    std::array<unsigned char, 256> values{};
    for (auto& value : values) value = no_digit;
    for (std::size_t i = 0; i < alphabet.size(); ++i)
        values[static_cast<unsigned char>(alphabet[i])] = static_cast<unsigned char>(i);
    return values;
}
constexpr std::array<unsigned char, 256> values = make_values();

std::size_t encoded_size(std::size_t size) {
    return (size + 2) / 3 * 4;
}

void encode(std::string_view octets, std::span<char> to) {
    const auto octet = [&](std::size_t i) -> unsigned {
        return i < octets.size() ? static_cast<unsigned char>(octets[i]) : 0;
    };
    std::size_t out = 0;
    for (std::size_t i = 0; i < octets.size(); i += 3) {
        const unsigned group = octet(i) << 16 | octet(i + 1) << 8 | octet(i + 2);
        to[out++] = alphabet[group >> 18];
        to[out++] = alphabet[group >> 12 & 63];
        to[out++] = i + 1 < octets.size() ? alphabet[group >> 6 & 63] : '=';
        to[out++] = i + 2 < octets.size() ? alphabet[group & 63] : '=';
    }
}

// The number of octets that the text stands for, if its padding is right.
std::optional<std::size_t> decoded_size(std::string_view text) {
    if (text.size() % 4 != 0) return std::nullopt;
    const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
    return text.size() / 4 * 3 - padding;
}

bool decode(std::string_view text, std::span<char> to) {
    std::size_t out = 0;
    for (std::size_t i = 0; i < text.size(); i += 4) {
        unsigned group = 0;
        for (std::size_t j = i; j < i + 4; ++j) {
            const bool padding = out + (j - i) > to.size();
            const unsigned value = padding ? 0 : values[static_cast<unsigned char>(text[j])];
            if (value == no_digit) return false;
            group = group << 6 | value;
        }
        for (const unsigned shift : {16U, 8U, 0U}) {
            if (out < to.size())
                to[out++] = static_cast<char>(group >> shift & 255);
            else if ((group >> shift & 255) != 0)
                return false;
        }
    }
    return true;
}

}  // namespace

std::string encode_base64(std::string_view octets) {
    std::string text(encoded_size(octets.size()), '\0');
    encode(octets, text);
    return text;
}

std::optional<std::string> decode_base64(std::string_view text) {
    const auto size = decoded_size(text);
    if (!size) return std::nullopt;
    std::string octets(*size, '\0');
    return decode(text, octets) ? std::optional(std::move(octets)) : std::nullopt;
}

Secret encode_base64_secret(std::string_view octets) {
    Secret text(encoded_size(octets.size()));
    encode(octets, text.span());
    return text;
}

std::optional<Secret> decode_base64_secret(std::string_view text) {
    const auto size = decoded_size(text);
    if (!size) return std::nullopt;
    Secret octets(*size);
    return decode(text, octets.span()) ? std::optional(std::move(octets)) : std::nullopt;
}

}  // namespace relais::sasl
