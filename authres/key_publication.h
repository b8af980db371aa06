// The record that publishes a DKIM key, as name servers and their owners' web pages want it. Pure.
#pragma once

#include <string>
#include <string_view>

#include "authres/dkim_key.h"
#include "net/resolver_protocol.h"

namespace relais::authres {

// "v=DKIM1; k=rsa; p=...": the value alone, as web pages of DNS providers take it. Throws Error of the key.
std::string key_record_text(const PrivateKey& key);
// A line of a zone file (BIND, nsd, knot), in strings that TXT may have.
std::string zone_line(std::string_view name, std::string_view text);
// A line of tinydns's data file.
std::string tinydns_line(std::string_view name, std::string_view text);

struct PublicHalf {
    KeyType type;
    std::string key;  // as p= has it, not encoded
};
// What DNS has in a key's place. No answer at all is not well either: the answer's status tells.
struct Publication {
    bool well = false;
    bool testing = false;  // t=y
    std::string text{};    // for people
};
Publication key_published(const PublicHalf& key, const net::DnsAnswer& answer);

}  // namespace relais::authres
