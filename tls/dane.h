// TLSA records (RFC 6698, 7671) as a client of SMTP uses them (RFC 7672, 3.1): those of the usages DANE-TA(2)
// and DANE-EE(3). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace relais::tls {

struct Tlsa {
    std::uint8_t usage = 0;
    std::uint8_t selector = 0;
    std::uint8_t matching = 0;
    std::string data;  // octets

    bool operator==(const Tlsa&) const = default;
};

// "3 1 1 0b9fa5a5...", as qmail-resolver has it. Nothing for anything else.
std::optional<Tlsa> parse_tlsa(std::string_view text);
std::string text_of(const Tlsa& record);

// False for usages that need a public authority as well (RFC 7672, 3.1.3), for numbers nobody has defined,
// and for data that is no digest, certificate or key of that kind.
bool is_usable(const Tlsa& record);

}  // namespace relais::tls
