#include "mail/introduction.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "base/words.h"
#include "mail/smtp_command.h"

namespace relais::mail {
namespace {

constexpr std::size_t most_attributes = 16;
constexpr std::size_t value_limit = 255;

bool is_upper_word(std::string_view text) {
    return !text.empty() &&
           std::all_of(text.begin(), text.end(), [](char c) { return (c >= 'A' && c <= 'Z') || c == '_'; });
}

bool is_unknown(std::string_view value) {
    return value.empty() || equal_ignoring_case(value, "[UNAVAILABLE]") ||
           equal_ignoring_case(value, "[TEMPUNAVAIL]");
}

std::string upper(std::string_view text) {
    std::string result(text);
    for (char& c : result)
        if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    return result;
}

}  // namespace

std::optional<std::vector<IntroductionAttribute>> parse_introduction(std::string_view argument) {
    std::vector<IntroductionAttribute> result;
    for (const std::string_view word : words_of(argument)) {
        const std::size_t equals = word.find('=');
        if (equals == std::string_view::npos || result.size() == most_attributes) return std::nullopt;
        IntroductionAttribute attribute{upper(word.substr(0, equals)), std::nullopt};
        const std::string_view value = word.substr(equals + 1);
        const bool twice = std::any_of(result.begin(), result.end(), [&](const IntroductionAttribute& each) {
            return each.name == attribute.name;
        });
        if (!is_upper_word(attribute.name) || twice) return std::nullopt;
        if (!is_unknown(value)) {
            attribute.value = decode_xtext(value);
            if (!attribute.value || attribute.value->size() > value_limit) return std::nullopt;
            for (const char c : *attribute.value)
                if (c < 33 || c > 126) return std::nullopt;
        }
        result.push_back(std::move(attribute));
    }
    if (result.empty()) return std::nullopt;
    return result;
}

std::optional<std::string> parse_introduced_address(std::string_view value) {
    std::array<char, sizeof(in6_addr)> octets{};
    std::array<char, INET6_ADDRSTRLEN> text{};
    constexpr std::string_view prefix = "IPV6:";
    const int family = starts_ignoring_case(value, prefix) ? AF_INET6 : AF_INET;
    const std::string address(family == AF_INET6 ? value.substr(prefix.size()) : value);
    if (::inet_pton(family, address.c_str(), octets.data()) != 1) return std::nullopt;
    return ::inet_ntop(family, octets.data(), text.data(), text.size());
}

}  // namespace relais::mail
