#include "tcprules/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

#include "base/text.h"

namespace relais::tcprules {
namespace {

using Keys = std::vector<Key>;
using Result = std::variant<Keys, Wrong>;

template <class Address>
std::optional<Address> parse_with(int family, std::string_view text) {
    if (text.size() >= INET6_ADDRSTRLEN || text.find('\0') != std::string_view::npos) return std::nullopt;
    Address address;
    if (::inet_pton(family, std::string(text).c_str(), address.data()) != 1) return std::nullopt;
    return address;
}

template <class Address>
Address cut(const Address& address, unsigned length) {
    Address result{};
    for (unsigned octet = 0; octet < result.size() && length > 0; ++octet) {
        const unsigned bits = std::min(length, 8U);
        result[octet] = static_cast<std::uint8_t>(address[octet] & (0xff00U >> bits));
        length -= bits;
    }
    return result;
}

std::string hexadecimal(unsigned value) {
    std::string text;
    for (int shift = 12; shift >= 0; shift -= 4)
        if (value >> shift != 0 || shift == 0) text += "0123456789abcdef"[value >> shift & 0xf];
    return text;
}

unsigned group(const Ipv6& ip, unsigned number) {
    return ip[2 * number] * 256U + ip[2 * number + 1];
}

// Every key of the octets first to last below the prefix: "10.0." to "10.127.".
Keys octet_keys(const std::string& prefix, unsigned first, unsigned last, std::string_view end,
                unsigned bits) {
    Keys keys;
    for (unsigned octet = first; octet <= last; ++octet)
        keys.push_back({prefix + std::to_string(octet) + std::string(end), bits});
    return keys;
}

Result keys_of_ipv4_network(const Ipv4& ip, std::uint64_t length) {
    if (length > 32) return Wrong{"an IPv4 network has a length of 0 to 32"};
    const unsigned bits = static_cast<unsigned>(length);
    if (cut(ip, bits) != ip)
        return Wrong{"the network's address has bits set beyond its length: " + ipv4_text(cut(ip, bits)) +
                     "/" + std::to_string(bits) + " would be right"};
    if (bits == 32) return Keys{{ipv4_text(ip), whole_network}};
    // The octet in which the network ends; a whole number of octets is one key of the octet before.
    const unsigned octet = bits % 8 == 0 && bits > 0 ? bits / 8 - 1 : bits / 8;
    const unsigned span = 1U << (8 * (octet + 1) - bits);
    std::string prefix;
    for (unsigned before = 0; before < octet; ++before) prefix += std::to_string(ip[before]) + ".";
    return octet_keys(prefix, ip[octet], ip[octet] + span - 1, octet < 3 ? "." : "",
                      bits % 8 == 0 && bits > 0 ? whole_network : bits);
}

Result keys_of_ipv6_network(const Ipv6& ip, std::uint64_t length) {
    if (length > 128) return Wrong{"an IPv6 network has a length of 0 to 128"};
    const unsigned bits = static_cast<unsigned>(length);
    if (cut(ip, bits) != ip)
        return Wrong{"the network's address has bits set beyond its length: " + ipv6_network_key(ip, bits) +
                     " would be right"};
    if (const auto ipv4 = mapped_ipv4(ip); ipv4 && bits >= 96) return keys_of_ipv4_network(*ipv4, bits - 96);
    if (bits == 128) return Keys{{ipv6_key(ip), whole_network}};
    Keys keys{{ipv6_network_key(ip, bits), whole_network}};
    // The IPv6 tcpserver can be told of a network of whole groups, when no "::" can stand for one of them.
    std::string prefix;
    for (unsigned number = 0; number < bits / 16; ++number) {
        if (group(ip, number) == 0) return keys;
        prefix += hexadecimal(group(ip, number)) + ":";
    }
    if (bits > 0 && bits % 16 == 0) keys.push_back({prefix, whole_network});
    return keys;
}

std::string_view without_brackets(std::string_view address) {
    const bool bracketed = address.size() >= 2 && address.front() == '[' && address.back() == ']';
    return bracketed && address.find(':') != std::string_view::npos ? address.substr(1, address.size() - 2)
                                                                    : address;
}

Result keys_of_network(std::string_view address, std::size_t slash) {
    const std::string_view host = without_brackets(address.substr(0, slash));
    const auto length = parse_number(address.substr(slash + 1));
    if (!length) return Wrong{"a network is written ADDRESS/LENGTH"};
    if (const auto ipv4 = parse_ipv4(host)) return keys_of_ipv4_network(*ipv4, *length);
    if (const auto ipv6 = parse_ipv6(host)) return keys_of_ipv6_network(*ipv6, *length);
    return Wrong{"a network is written ADDRESS/LENGTH, with a whole IPv4 or IPv6 address"};
}

// A number of a range as classic tcprules reads it: nothing at all is 0.
std::optional<std::uint64_t> range_number(std::string_view text) {
    return text.empty() ? std::optional<std::uint64_t>(0) : parse_number(text);
}

// "1.2.3.37-53", "10.2-3.": the first two numbers around the first dash.
Result keys_of_range(std::string_view address, std::size_t dash) {
    const std::size_t dot = address.substr(0, dash).rfind('.');
    const std::size_t left = dot == std::string_view::npos ? 0 : dot + 1;
    const std::size_t right = std::min(address.find('.', dash + 1), address.size());
    const auto first = range_number(address.substr(left, dash - left));
    const auto last = range_number(address.substr(dash + 1, right - dash - 1));
    if (!first || !last) return Wrong{"a range is written NUMBER-NUMBER"};
    if (*first > 255 || *first > *last) return Keys{};
    return octet_keys(std::string(address.substr(0, left)), static_cast<unsigned>(*first),
                      static_cast<unsigned>(std::min<std::uint64_t>(*last, 255)), address.substr(right),
                      whole_network);
}

// "2001:db8:": whole groups, each ended by a colon, as the IPv6 tcpserver asks for them. The key, if it is
// that.
std::optional<std::string> ipv6_prefix_key(std::string_view text) {
    if (text == ":" || text == "::") return std::string(text);
    if (text.size() < 2 || text.size() > 40 || text.back() != ':') return std::nullopt;
    std::string key;
    text.remove_suffix(1);
    for (const std::string_view part : split(text, ':')) {
        unsigned value = 0;
        if (part.size() > 4) return std::nullopt;
        for (const char c : part) {
            const std::size_t digit = std::string_view("0123456789abcdef").find(lower(c));
            if (digit == std::string_view::npos) return std::nullopt;
            value = value * 16 + static_cast<unsigned>(digit);
        }
        key += (part.empty() ? "" : hexadecimal(value)) + ":";
    }
    return key.find(":::") == std::string::npos ? std::optional(key) : std::nullopt;
}

Result keys_of_ipv6(std::string_view address) {
    if (const auto ip = parse_ipv6(address)) {
        const auto ipv4 = mapped_ipv4(*ip);
        return Keys{{ipv4 ? ipv4_text(*ipv4) : ipv6_key(*ip), whole_network}};
    }
    if (const auto prefix = ipv6_prefix_key(address)) return Keys{{*prefix, whole_network}};
    return Wrong{"no instructions follow a colon, or this is no IPv6 address"};
}

}  // namespace

std::optional<Ipv4> parse_ipv4(std::string_view text) {
    return parse_with<Ipv4>(AF_INET, text);
}
std::optional<Ipv6> parse_ipv6(std::string_view text) {
    return parse_with<Ipv6>(AF_INET6, text);
}

std::optional<Ipv4> mapped_ipv4(const Ipv6& ip) {
    constexpr std::array<std::uint8_t, 12> mapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (!std::equal(mapped.begin(), mapped.end(), ip.begin())) return std::nullopt;
    return Ipv4{ip[12], ip[13], ip[14], ip[15]};
}

std::string ipv4_text(const Ipv4& ip) {
    return std::to_string(ip[0]) + "." + std::to_string(ip[1]) + "." + std::to_string(ip[2]) + "." +
           std::to_string(ip[3]);
}

std::string ipv6_key(const Ipv6& ip) {
    unsigned best = 0;
    unsigned best_length = 0;
    for (unsigned start = 0; start < 8; ++start) {
        unsigned length = 0;
        while (start + length < 8 && group(ip, start + length) == 0) ++length;
        if (length > best_length) {
            best = start;
            best_length = length;
        }
    }
    std::string text;
    for (unsigned number = 0; number < 8;) {
        if (best_length > 0 && number == best) {
            text += number == 0 ? "::" : ":";
            number += best_length;
            continue;
        }
        text += hexadecimal(group(ip, number));
        if (++number < 8) text += ':';
    }
    return text;
}

std::string ipv6_network_key(const Ipv6& ip, unsigned length) {
    return ipv6_key(cut(ip, length)) + "/" + std::to_string(length);
}

Result keys_of_address(std::string_view address) {
    // After info@ stands one address or =host; anything may stand in info.
    if (const std::size_t at = address.rfind('@'); at != std::string_view::npos) {
        const std::string_view where = without_brackets(address.substr(at + 1));
        if (where.empty() || where.front() == '=' || where.find_first_of(":/") == std::string_view::npos)
            return Keys{{std::string(address), whole_network}};
        const auto ip = parse_ipv6(where);
        if (!ip) return Wrong{"after INFO@ stands one whole address"};
        const auto ipv4 = mapped_ipv4(*ip);
        return Keys{{std::string(address.substr(0, at + 1)) + (ipv4 ? ipv4_text(*ipv4) : ipv6_key(*ip)),
                     whole_network}};
    }
    if (address.find('=') != std::string_view::npos) return Keys{{std::string(address), whole_network}};
    address = without_brackets(address);
    if (const std::size_t slash = address.find('/'); slash != std::string_view::npos)
        return keys_of_network(address, slash);
    if (address.find(':') != std::string_view::npos) return keys_of_ipv6(address);
    if (const std::size_t dash = address.find('-'); dash != std::string_view::npos)
        return keys_of_range(address, dash);
    return Keys{{std::string(address), whole_network}};
}

}  // namespace relais::tcprules
