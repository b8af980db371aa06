// mynetworks as rules of tcp.smtp. Postfix takes the first entry that has an address, tcp.smtp the longest:
// without the networks that an entry before them holds, both are the same.
#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <compare>
#include <set>

#include "base/text.h"
#include "setup/postfix_settings.h"

namespace relais::setup {
namespace {

struct Network {
    bool v6 = false;
    unsigned bits = 0;
    std::array<unsigned char, 16> octets{};  // without those beyond bits

    unsigned most() const { return v6 ? 128 : 32; }
    auto operator<=>(const Network&) const = default;
};

Network shortened(Network network, unsigned bits) {
    network.bits = bits;
    for (unsigned i = 0; i < network.octets.size(); ++i) {
        const unsigned kept = std::clamp(bits, 8 * i, 8 * i + 8) - 8 * i;
        network.octets[i] &= static_cast<unsigned char>(0xff00U >> kept);
    }
    return network;
}

std::optional<Network> parse_network(std::string_view text) {
    const std::size_t slash = std::min(text.rfind('/'), text.size());
    std::string address(text.substr(0, slash));
    if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
    Network network;
    network.v6 = ::inet_pton(AF_INET, address.c_str(), network.octets.data()) != 1;
    if (network.v6 && ::inet_pton(AF_INET6, address.c_str(), network.octets.data()) != 1) return std::nullopt;
    // An IPv4 address in the form of the other family.
    const auto* end = network.octets.begin() + 10;
    if (network.v6 &&
        std::all_of(network.octets.cbegin(), end, [](unsigned char octet) { return octet == 0; }) &&
        end[0] == 0xff && end[1] == 0xff)
        return std::nullopt;
    const auto bits = slash == text.size()
                          ? network.most()
                          : parse_number(text.substr(slash + 1)).value_or(network.most() + 1);
    if (bits > network.most()) return std::nullopt;
    return shortened(network, static_cast<unsigned>(bits));
}

std::string text_of(const Network& network) {
    char text[INET6_ADDRSTRLEN];
    ::inet_ntop(network.v6 ? AF_INET6 : AF_INET, network.octets.data(), text, sizeof text);
    return network.bits == network.most() ? text : std::string(text) + "/" + std::to_string(network.bits);
}

// The networks so far, and whether one of them holds another.
class Networks {
  public:
    bool hold(const Network& network) const {
        for (unsigned bits = 0; bits <= network.bits; ++bits)
            if (all_.contains(shortened(network, bits))) return true;
        return false;
    }
    void add(const Network& network) { all_.insert(network); }

  private:
    std::set<Network> all_;
};

}  // namespace

RelayRules relay_rules(const std::vector<std::string>& networks) {
    RelayRules result;
    Networks before;
    bool excepts_unknown = false;
    for (const std::string& word : networks) {
        const bool excepted = word.starts_with('!');
        const auto network = parse_network(std::string_view(word).substr(excepted ? 1 : 0));
        excepts_unknown = excepts_unknown || (excepted && !network);
        if (!network) {
            result.missed.push_back(safe_for_log(word));
        } else if (!excepted && excepts_unknown) {
            result.missed.push_back(safe_for_log(word) + " (what an entry before it excepts is not known)");
        } else if (!before.hold(*network)) {
            before.add(*network);
            if (network->bits != 0)
                result.rules.push_back(
                    {network->v6, text_of(*network) + (excepted ? ":allow" : ":allow,RELAYCLIENT=\"\"")});
            else if (!excepted)
                result.missed.push_back(safe_for_log(word) + " (everybody)");
        }
    }
    return result;
}

}  // namespace relais::setup
