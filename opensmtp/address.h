// Client addresses as keys of the open-smtp store, and networks of them. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relais::opensmtp {

// The address in its one spelling: an IPv4-mapped IPv6 address is the IPv4 address, a zone (fe80::1%eth0) is
// left out. Nothing if it is none.
std::optional<std::string> canonical_client(std::string_view text);

// The /64 network that holds an IPv6 address, as "2001:db8:0:1::/64"; nothing for IPv4 and for what is no
// address.
std::optional<std::string> network64(std::string_view address);

// Addresses and networks ("192.0.2.7", "192.0.2.0/24", "2001:db8::/32"), as control/opensmtpexclude lists
// them.
class NetworkSet {
  public:
    NetworkSet() = default;
    // Lines that are no address and no network are left out and kept in wrong().
    explicit NetworkSet(const std::vector<std::string>& lines);
    // The line that holds the address; for a network ("2001:db8::/64") one that holds its first address.
    std::optional<std::string> match(std::string_view address) const;
    const std::vector<std::string>& wrong() const { return wrong_; }

  private:
    struct Network {
        std::string octets;  // 4 or 16
        unsigned bits;
        std::string line;
    };
    std::vector<Network> networks_;
    std::vector<std::string> wrong_;
};

}  // namespace relais::opensmtp
