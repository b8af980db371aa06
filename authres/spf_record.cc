#include "authres/spf_record.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <map>

#include "base/printable.h"
#include "base/text.h"

namespace relais::authres {
namespace {

using Mechanism = SpfDirective::Mechanism;

bool is_alpha(char c) {
    return lower(c) >= 'a' && lower(c) <= 'z';
}

std::optional<SpfResult> take_qualifier(std::string_view& term) {
    static const std::map<char, SpfResult> qualifiers = {{'+', SpfResult::pass},
                                                         {'-', SpfResult::fail},
                                                         {'~', SpfResult::softfail},
                                                         {'?', SpfResult::neutral}};
    const auto at = qualifiers.find(term.front());
    if (at == qualifiers.end()) return std::nullopt;
    term.remove_prefix(1);
    return at->second;
}

std::optional<Mechanism> mechanism_named(std::string_view name) {
    static const std::map<std::string_view, Mechanism> mechanisms = {
        {"all", Mechanism::all}, {"include", Mechanism::include}, {"a", Mechanism::a},
        {"mx", Mechanism::mx},   {"ptr", Mechanism::ptr},         {"ip4", Mechanism::ip4},
        {"ip6", Mechanism::ip6}, {"exists", Mechanism::exists}};
    const auto at = mechanisms.find(lower(name));
    return at == mechanisms.end() ? std::nullopt : std::optional(at->second);
}

// "0" or a number without leading zeros.
std::optional<unsigned> parse_prefix(std::string_view digits, unsigned most) {
    const auto number = parse_number(digits);
    if (!number || digits.size() > 3 || (digits.size() > 1 && digits.front() == '0') || *number > most)
        return std::nullopt;
    return static_cast<unsigned>(*number);
}

// Takes "/DIGITS" (two: "//DIGITS") from the end of the text, if it is there. False for a wrong number.
bool take_prefix(std::string_view& text, std::string_view slashes, unsigned most, unsigned& prefix) {
    const std::size_t digits = text.find_last_not_of("0123456789");
    const std::string_view before = text.substr(0, digits == std::string_view::npos ? 0 : digits + 1);
    if (!before.ends_with(slashes)) return true;
    if (slashes == "/" && before.ends_with("//")) return false;
    const auto number = parse_prefix(text.substr(before.size()), most);
    if (!number) return false;
    prefix = *number;
    text = before.substr(0, before.size() - slashes.size());
    return true;
}

// dual-cidr-length at the end of what follows "a" or "mx".
bool take_dual_prefix(std::string_view& text, SpfDirective& directive) {
    return take_prefix(text, "//", 128, directive.prefix6) && take_prefix(text, "/", 32, directive.prefix4);
}

bool take_network(std::string_view text, SpfDirective& directive) {
    const bool v6 = directive.mechanism == Mechanism::ip6;
    if (!text.starts_with(':')) return false;
    text.remove_prefix(1);
    unsigned& prefix = v6 ? directive.prefix6 : directive.prefix4;
    if (!take_prefix(text, "/", v6 ? 128 : 32, prefix)) return false;
    std::array<char, 16> octets{};
    if (inet_pton(v6 ? AF_INET6 : AF_INET, std::string(text).c_str(), octets.data()) != 1) return false;
    if (text.find('\0') != std::string_view::npos) return false;
    directive.network.assign(octets.data(), v6 ? 16 : 4);
    return true;
}

// What follows a mechanism's name. False for a syntax error.
bool take_arguments(std::string_view text, SpfDirective& directive) {
    const Mechanism mechanism = directive.mechanism;
    if (mechanism == Mechanism::all) return text.empty();
    if (mechanism == Mechanism::ip4 || mechanism == Mechanism::ip6) return take_network(text, directive);
    if ((mechanism == Mechanism::a || mechanism == Mechanism::mx) && !take_dual_prefix(text, directive))
        return false;
    if (text.empty()) return mechanism != Mechanism::include && mechanism != Mechanism::exists;
    if (text.front() != ':') return false;
    directive.domain = parse_macro_string(text.substr(1), MacroUse::domain);
    return directive.domain.has_value();
}

bool add_directive(std::string_view term, SpfRecord& record) {
    SpfDirective directive;
    directive.text = term;
    if (const auto qualifier = take_qualifier(term)) directive.qualifier = *qualifier;
    const std::string_view name = term.substr(0, term.find_first_of(":/"));
    const auto mechanism = mechanism_named(name);
    if (!mechanism) return false;
    directive.mechanism = *mechanism;
    if (!take_arguments(term.substr(name.size()), directive)) return false;
    record.directives.push_back(std::move(directive));
    return true;
}

// True if the term is name=..., whatever follows.
bool is_modifier(std::string_view term) {
    const std::string_view name = term.substr(0, term.find_first_of("=:/"));
    if (name.size() == term.size() || term[name.size()] != '=' || name.empty() || !is_alpha(name.front()))
        return false;
    return std::all_of(name.begin(), name.end(), [](char c) {
        return is_alpha(c) || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    });
}

bool add_modifier(std::string_view term, SpfRecord& record) {
    const std::size_t equals = term.find('=');
    const std::string name = lower(term.substr(0, equals));
    const std::string_view value = term.substr(equals + 1);
    if (name != "redirect" && name != "exp") return parse_macro_string(value, MacroUse::modifier).has_value();
    auto& place = name == "exp" ? record.explanation : record.redirect;
    if (place) return false;
    place = parse_macro_string(value, MacroUse::domain);
    return place.has_value();
}

}  // namespace

std::string_view to_text(SpfResult result) {
    switch (result) {
        case SpfResult::none:
            return "none";
        case SpfResult::neutral:
            return "neutral";
        case SpfResult::pass:
            return "pass";
        case SpfResult::fail:
            return "fail";
        case SpfResult::softfail:
            return "softfail";
        case SpfResult::permerror:
            return "permerror";
        case SpfResult::temperror:
            break;
    }
    return "temperror";
}

bool is_spf_record(std::string_view text) {
    return starts_ignoring_case(text, "v=spf1") && (text.size() == 6 || text[6] == ' ');
}

std::variant<SpfRecord, SpfSyntaxError> parse_spf_record(std::string_view text) {
    SpfRecord record;
    if (!is_spf_record(text)) return SpfSyntaxError{"no version"};
    if (text.size() > spf_record_limit) return SpfSyntaxError{"too long"};
    for (const std::string_view term : split(text.substr(6), ' ')) {
        if (term.empty()) continue;
        const bool right = is_modifier(term) ? add_modifier(term, record) : add_directive(term, record);
        if (!right) return SpfSyntaxError{"syntax error in \"" + printable(term.substr(0, 200)) + "\""};
    }
    return record;
}

std::optional<std::string> address_octets(std::string_view address) {
    std::array<char, 16> octets{};
    const std::string text(address);
    if (text.size() != std::string_view(text.c_str()).size()) return std::nullopt;
    if (inet_pton(AF_INET, text.c_str(), octets.data()) == 1) return std::string(octets.data(), 4);
    if (inet_pton(AF_INET6, text.c_str(), octets.data()) == 1) return std::string(octets.data(), 16);
    return std::nullopt;
}

bool has_prefix(std::string_view address, std::string_view network, unsigned bits) {
    if (address.size() != network.size() || bits > address.size() * 8) return false;
    const std::size_t whole = bits / 8;
    if (address.substr(0, whole) != network.substr(0, whole)) return false;
    const unsigned rest = bits % 8;
    if (rest == 0) return true;
    const unsigned difference =
        static_cast<unsigned char>(address[whole]) ^ static_cast<unsigned char>(network[whole]);
    return difference >> (8 - rest) == 0;
}

}  // namespace relais::authres
