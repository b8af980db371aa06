// SPF records (RFC 7208, 4.5, 5, 6 and 12). Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "authres/spf_macro.h"

namespace relais::authres {

enum class SpfResult { none, neutral, pass, fail, softfail, temperror, permerror };
std::string_view to_text(SpfResult result);

// Longer records are syntax errors; no DNS message could carry one.
inline constexpr std::size_t spf_record_limit = 65535;

struct SpfDirective {
    enum class Mechanism { all, include, a, mx, ptr, ip4, ip6, exists };
    Mechanism mechanism = Mechanism::all;
    SpfResult qualifier = SpfResult::pass;
    std::optional<MacroString> domain;
    std::string network;  // ip4, ip6: 4 or 16 octets
    unsigned prefix4 = 32;
    unsigned prefix6 = 128;
    std::string text;  // as it was written
};

struct SpfRecord {
    std::vector<SpfDirective> directives;
    std::optional<MacroString> redirect;
    std::optional<MacroString> explanation;
};

// True for a TXT record that says it is an SPF record, right or wrong: "v=spf1" and a space or the end.
bool is_spf_record(std::string_view text);

struct SpfSyntaxError {
    std::string text;  // what is wrong, with the term
};
// The whole record, version too. A syntax error anywhere makes it unusable (RFC 7208, 4.6).
std::variant<SpfRecord, SpfSyntaxError> parse_spf_record(std::string_view text);

// An address as 4 or 16 octets; nothing if it is none.
std::optional<std::string> address_octets(std::string_view address);
// True if the first bits of both are the same; of different families they never are.
bool has_prefix(std::string_view address, std::string_view network, unsigned bits);

}  // namespace relais::authres
