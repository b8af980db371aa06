// Where the private keys of DKIM are: control/dkim/DOMAIN/SELECTOR, one in a file, as PEM. The directories
// and files are their owner's alone.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "authres/dkim_key.h"
#include "control/home.h"

namespace relais::keyd {

// A key file has at most so many octets.
inline constexpr std::size_t dkim_key_limit = 16384;

struct DkimKeyFile {
    std::string domain;
    std::string selector;
    std::string path;
    std::unique_ptr<authres::PrivateKey> key;

    // SELECTOR._domainkey.DOMAIN
    std::string record_name() const { return selector + "._domainkey." + domain; }
};

// In lower case. Throws a permanent Error for what is no name of a domain or selector: such a one never
// becomes a path.
std::string checked_dkim_name(std::string_view name, std::string_view what);

// The keys of the domain by selector, or the one of that selector if it is not empty. Throws Error, also if
// one cannot be read or may be read by others, and a permanent one if there is none.
std::vector<DkimKeyFile> read_dkim_keys(const control::Home& home, std::string_view domain,
                                        std::string_view selector);

// The domain's selectors in order, none if it has no key. Throws Error.
std::vector<std::string> list_dkim_selectors(const control::Home& home, std::string_view domain);

// Writes a new key, durably; makes directories that are missing. prepare is called before the key is there.
// Throws Error, and a permanent one if the selector has a key already.
DkimKeyFile make_dkim_key(const control::Home& home, std::string_view domain, std::string_view selector,
                          authres::KeyType type, const std::function<void()>& prepare);

}  // namespace relais::keyd
