// Completing the addresses that people write: a host where there is none, a domain where the host has no dot.
#pragma once

#include <string>
#include <string_view>

#include "mail/address_list.h"

namespace relais::inject {

struct Rewriter {
    std::string default_host;    // for an address without a host
    std::string default_domain;  // for a host without dots
    std::string plus_domain;     // for a host that ends in '+'

    // Completes the address in place; <> and addresses at [] stay as they are. Throws a permanent Error for
    // an address that holds NUL or LF: the envelope cannot carry it.
    void complete(mail::ListedAddress& address) const;
    // The same for an address as it stands on a command line, unquoted.
    std::string completed(std::string_view address) const;
};

}  // namespace relais::inject
