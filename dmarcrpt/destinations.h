// Where a domain wants its reports to go, as its record says now; a domain that is none of its own has to
// agree (RFC 9990).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "authres/dns.h"

namespace relais::dmarcrpt {

struct Destination {
    std::string address;
    std::uint64_t limit = 0;  // octets; 0: none

    bool operator==(const Destination&) const = default;
};

struct Destinations {
    std::vector<Destination> to{};
    bool failed = false;  // DNS did not tell all: try again
};

// More of them are passed over; as are more URIs, for each may cost a walk up its name.
inline constexpr std::size_t uris_looked_at = 10;
inline constexpr std::size_t destinations_limit = 5;

// "mailto:a@b.example": the address, with %XX decoded; "" for what is none, or what an envelope must not
// have. Pure.
std::string address_of(std::string_view uri);

// Of a domain with a record. Never throws.
Destinations find_destinations(authres::Dns& dns, const std::string& domain, Deadline deadline);

}  // namespace relais::dmarcrpt
