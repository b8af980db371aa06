// What a front end says of the client for whom it speaks: the arguments of XCLIENT and XFORWARD (Postfix's
// XCLIENT_README and XFORWARD_README). Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relais::mail {

struct IntroductionAttribute {
    std::string name;  // in upper case
    std::optional<std::string>
        value;  // decoded, printable ASCII; nothing for [UNAVAILABLE], [TEMPUNAVAIL] and ""
    bool operator==(const IntroductionAttribute&) const = default;
};

// NAME=VALUE, separated by blanks, each value as xtext (RFC 3461, 4). Nothing for a syntax error, for more
// than 16 of them, a name that comes twice, and a value of more than 255 octets.
std::optional<std::vector<IntroductionAttribute>> parse_introduction(std::string_view argument);

// The address of ADDR and DESTADDR: "192.0.2.1", or "IPV6:2001:db8::1", in its one spelling. Nothing if it is
// none.
std::optional<std::string> parse_introduced_address(std::string_view value);

}  // namespace relais::mail
