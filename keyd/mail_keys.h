// The private keys that sign mail, by domain and selector, and which of them are in use.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "authres/dkim_key.h"
#include "keyd/mail_protocol.h"

namespace relais::keyd {

// Below control/: the key of a domain and selector, and the list of the domain's selectors in use, a line
// each. Without that list all of its keys are.
inline constexpr std::string_view mail_key_folder = "dkim/";
inline constexpr std::string_view selectors_in_use = ".use";

// The selectors in such a list; comments begin with '#'. Pure.
std::vector<std::string> read_selectors(std::string_view text);

class MailKeys {
  public:
    // A set of files, all of them, replaces the last set. file: "dkim/DOMAIN/SELECTOR", "dkim/DOMAIN/.use".
    void add(std::string_view file, std::string_view content);
    // Takes the set over. Returns what is wrong, a line each.
    std::vector<std::string> commit();

    // The keys in use of the first of these domains that has some. Never throws.
    KeysFound find(const std::vector<std::string_view>& domains) const;
    // Over a hash (SHA-256). The same hash gives the same signature, calculated once for the deliveries of a
    // message. Nothing if that domain has no such key. Throws Error.
    std::optional<std::string> sign(std::string_view domain, std::string_view selector,
                                    std::string_view hash);

  private:
    struct Domain {
        std::map<std::string, std::unique_ptr<authres::PrivateKey>, std::less<>> keys;
        std::vector<std::string> in_use;
        bool has_list = false;
    };
    using Domains = std::map<std::string, Domain, std::less<>>;

    Domains domains_;
    Domains coming_;
    std::vector<std::string> problems_;
    std::map<std::string, std::string, std::less<>> made_;  // signatures, by domain, selector and hash
    std::deque<std::string> made_in_order_;
};

}  // namespace relais::keyd
