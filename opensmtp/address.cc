#include "opensmtp/address.h"

#include <arpa/inet.h>

#include "base/text.h"
#include "net/socket.h"

namespace relais::opensmtp {
namespace {

// The address in network order, 4 or 16 octets; empty if it is none.
std::string octets_of(std::string_view text) {
    const auto canonical = canonical_client(text);
    if (!canonical) return "";
    char octets[16];
    const bool v6 = canonical->find(':') != std::string::npos;
    if (::inet_pton(v6 ? AF_INET6 : AF_INET, canonical->c_str(), octets) != 1) return "";
    return std::string(octets, v6 ? 16 : 4);
}

bool same_network(std::string_view a, std::string_view b, unsigned bits) {
    if (a.size() != b.size()) return false;
    const std::size_t whole = bits / 8;
    if (a.substr(0, whole) != b.substr(0, whole)) return false;
    const unsigned rest = bits % 8;
    return rest == 0 ||
           ((static_cast<unsigned char>(a[whole]) ^ static_cast<unsigned char>(b[whole])) >> (8 - rest)) == 0;
}

}  // namespace

std::optional<std::string> canonical_client(std::string_view text) {
    if (text.size() > 64) return std::nullopt;
    if (text.find(':') != std::string_view::npos) text = text.substr(0, text.find('%'));
    return net::canonical_address(text);
}

std::optional<std::string> network64(std::string_view address) {
    std::string octets = octets_of(address);
    if (octets.size() != 16) return std::nullopt;
    octets.replace(8, 8, 8, '\0');
    char text[INET6_ADDRSTRLEN];
    if (::inet_ntop(AF_INET6, octets.data(), text, sizeof text) == nullptr) return std::nullopt;
    return std::string(text) + "/64";
}

NetworkSet::NetworkSet(const std::vector<std::string>& lines) {
    for (const std::string& line : lines) {
        const std::size_t slash = line.find('/');
        std::string octets = octets_of(std::string_view(line).substr(0, slash));
        const auto most = octets.size() * 8;
        const auto bits = slash == std::string::npos ? std::optional<std::uint64_t>(most)
                                                     : parse_number(std::string_view(line).substr(slash + 1));
        if (octets.empty() || !bits || *bits > most)
            wrong_.push_back(line);
        else
            networks_.push_back({std::move(octets), static_cast<unsigned>(*bits), line});
    }
}

std::optional<std::string> NetworkSet::match(std::string_view address) const {
    if (networks_.empty()) return std::nullopt;
    const std::string octets = octets_of(address.substr(0, address.find('/')));
    for (const Network& network : networks_)
        if (same_network(octets, network.octets, network.bits)) return network.line;
    return std::nullopt;
}

}  // namespace relais::opensmtp
