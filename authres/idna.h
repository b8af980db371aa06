// Domains that people write in letters of their own, as DNS has them. Pure.
#pragma once

#include <string>
#include <string_view>

namespace relais::authres {

// The domain in lower case, with labels in UTF-8 as A-labels ("xn--...", RFC 3492). Of IDNA's mappings it
// knows capital letters of Latin, Greek and Cyrillic. A label that is no UTF-8, or becomes longer than 63
// octets, stays as it is, and then is no name that DNS knows.
std::string ascii_domain(std::string_view domain);

// The domain behind the last '@' of an address, or of what is a domain already, by ascii_domain, without a
// final dot.
std::string ascii_domain_of(std::string_view address);

}  // namespace relais::authres
