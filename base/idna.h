// Domains that people write in letters of their own, as DNS has them. Pure.
#pragma once

#include <string>
#include <string_view>

namespace relais {

// The domain in lower case, with labels in UTF-8 as A-labels ("xn--...", RFC 3492). Of IDNA's mappings it
// knows capital letters of Latin, Greek and Cyrillic; letters are to be composed (NFC). A label that is no
// UTF-8, or becomes longer than 63 octets, keeps its octets above 127, and then is no name that DNS knows.
std::string ascii_domain(std::string_view domain);

// The domain behind the last '@' of an address, or of what is a domain already, by ascii_domain, without a
// final dot.
std::string ascii_domain_of(std::string_view address);

// The domain as it stands where it is ASCII, else by ascii_domain.
std::string dns_spelling(std::string_view domain);

// What two spellings of one address, or of one domain, have in common: ASCII letters in lower case, what is
// behind the last '@', or all of it, by ascii_domain.
std::string comparable(std::string_view address);

}  // namespace relais
