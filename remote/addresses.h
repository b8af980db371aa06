// What kind of place an IP address is, seen from this host.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "base/deadline.h"

namespace relais::remote {

enum class AddressKind {
    global,
    ours,      // loopback, unspecified, or an address of one of our interfaces: mail sent there comes back
    private_,  // of a private network (RFC 1918, 4193), link-local, or shared (RFC 6598)
    unusable,  // multicast, reserved: no host's
};

// Without our interfaces. The address must be canonical (net::canonical_address).
AddressKind kind_of(std::string_view address);

// The addresses of this host's interfaces, read again when they are a minute old.
class LocalAddresses {
  public:
    // Throws Error.
    bool contains(const std::string& address);

  private:
    void read();
    std::set<std::string> addresses_;
    Clock::time_point read_at_{};
};

}  // namespace relais::remote
