#include "mail/utf8_address.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/idna.h"
#include "base/printable.h"
#include "base/utf8.h"
#include "mail/address.h"

namespace relais::mail {
namespace {

constexpr std::size_t longest_code = 6;  // hexadecimal digits

bool is_quotable(char c) {
    return c > 32 && c < 127 && c != '+' && c != '=' && c != '\\';
}

std::optional<char32_t> parse_code(std::string_view digits) {
    if (digits.size() < 2 || digits.size() > longest_code) return std::nullopt;
    char32_t code = 0;
    for (const char c : digits) {
        if (c >= '0' && c <= '9')
            code = code * 16 + static_cast<char32_t>(c - '0');
        else if (c >= 'A' && c <= 'F')
            code = code * 16 + static_cast<char32_t>(c - 'A' + 10);
        else
            return std::nullopt;
    }
    return code;
}

std::string utf8(char32_t code) {
    std::string out;
    const auto tail = [&](unsigned shift) { out += static_cast<char>(0x80 | (code >> shift & 0x3f)); };
    if (code < 0x80) return std::string(1, static_cast<char>(code));
    if (code < 0x800) {
        out += static_cast<char>(0xc0 | code >> 6);
    } else if (code < 0x10000) {
        out += static_cast<char>(0xe0 | code >> 12);
        tail(6);
    } else {
        out += static_cast<char>(0xf0 | (code >> 18 & 7));
        tail(12);
        tail(6);
    }
    tail(0);
    return out;
}

// The length of the UTF-8 character at the beginning, which is no ASCII; 1 for what is none.
std::size_t character_size(std::string_view text, char32_t& code) {
    std::string_view rest = text;
    const auto taken = take_utf8(rest);
    const std::string_view character = text.substr(0, text.size() - rest.size());
    const bool shown = taken && printable(character) == character;
    code = shown ? *taken : 0xfffd;
    return shown ? character.size() : 1;
}

}  // namespace

bool is_ascii(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 128; });
}

bool is_utf8_address(std::string_view address) {
    return printable(address) == address && is_ascii(ascii_domain(split_address(address).domain));
}

std::optional<std::string> ascii_address(std::string_view address) {
    const AddressParts parts = split_address(address);
    if (!is_ascii(parts.local)) return std::nullopt;
    if (!parts.has_domain) return std::string(parts.local);
    std::string result = std::string(parts.local) + "@" + dns_spelling(parts.domain);
    return is_ascii(result) ? std::optional(std::move(result)) : std::nullopt;
}

std::optional<std::string> decode_utf8_address(std::string_view text) {
    constexpr std::string_view begin = "\\x{";
    if (text.empty()) return std::nullopt;
    std::string result;
    while (!text.empty()) {
        const char c = text.front();
        if (is_quotable(c) || static_cast<unsigned char>(c) >= 128) {
            result += c;
            text.remove_prefix(1);
            continue;
        }
        const std::size_t end = text.find('}');
        if (!text.starts_with(begin) || end == std::string_view::npos) return std::nullopt;
        const auto code = parse_code(text.substr(begin.size(), end - begin.size()));
        if (!code || *code > 0x10ffff) return std::nullopt;
        result += utf8(*code);
        text.remove_prefix(end + 1);
    }
    return printable(result) == result ? std::optional(std::move(result)) : std::nullopt;
}

std::string encode_utf8_address(std::string_view address) {
    std::string result;
    while (!address.empty()) {
        const char c = address.front();
        std::size_t size = 1;
        auto code = static_cast<char32_t>(static_cast<unsigned char>(c));
        if (code >= 128) size = character_size(address, code);
        if (is_quotable(c))
            result += c;
        else
            result += fmt::format("\\x{{{:02X}}}", static_cast<std::uint32_t>(code));
        address.remove_prefix(size);
    }
    return result;
}

std::string ascii_orcpt(const std::string& orcpt) {
    if (is_ascii(orcpt)) return orcpt;
    const std::size_t address = orcpt.find(';') + 1;
    const auto decoded = decode_utf8_address(std::string_view(orcpt).substr(address));
    return orcpt.substr(0, address) + encode_utf8_address(decoded.value_or(""));
}

}  // namespace relais::mail
