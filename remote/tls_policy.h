// control/tlsdestinations: how a connection to a server is protected. A line is
//
//   destination:level [option ...]
//
// destination is a server's name, a recipient's domain, ".suffix" for all names below it, an address (IPv6 in
// brackets), or empty for everything else. Levels:
//
//   none         no TLS
//   may          TLS where it is offered; without it where it is not, or fails
//   encrypt      never without TLS; whoever the server is
//   verify       never without TLS, and only to a server whose certificate is right: chain, dates, name
//   fingerprint  never without TLS, and only to a server whose certificate or public key has one of the given digests
//
// Options: implicit (TLS from the first octet), min=1.2|1.3, ca=FILE (of control/ unless it begins with '/'),
// name=NAME (that the certificate is to have, in place of the server's; several may be given), sha256=DIGEST
// (hexadecimal, colons allowed; several may be given), cleartext (passwords may be sent without TLS).
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tls/dane.h"

namespace relais::remote {

// dane: what no line says, but DNS (remote/dane.h): only to a server that fits one of its TLSA records.
enum class TlsLevel { none, may, encrypt, verify, fingerprint, dane };
std::string_view name_of(TlsLevel level);

struct TlsPolicy {
    TlsLevel level = TlsLevel::may;
    bool implicit = false;
    bool only_13 = false;
    bool cleartext_password = false;
    std::string ca_file;               // empty: the system's
    std::vector<std::string> names;    // empty: the server's own
    std::vector<std::string> digests;  // 64 lower-case hexadecimal digits each
    bool named = false;                // a line names the destination, by itself or by a suffix
    bool usable = true;                // false: the line that counts cannot be understood
    std::string line;                  // the line that counts, for people
    std::string complaint{};           // why it is not usable
    std::vector<tls::Tlsa> tlsa{};     // of the level dane, all usable; names: the TLSA base domain first
    std::string tlsa_name{};           // where the TLSA records are that ask for this level; empty: none do
    std::string policy_of{};           // the domain whose own policy (MTA-STS) asks for it; empty: none does
    std::string encrypted_at{};        // when it was, which control/tlsmemory holds it to; empty: it does not

    bool by_message = false;  // the message itself asks for it (remote/requiretls.h)

    // Why TLS is required, if no line of the administrator says so: " (...)", or nothing.
    std::string reason() const;
    bool required() const { return level != TlsLevel::none && level != TlsLevel::may; }
    bool authenticates_server() const {
        return level == TlsLevel::verify || level == TlsLevel::fingerprint || level == TlsLevel::dane;
    }
    // Equal for policies that ask for the same.
    std::string identity() const;
};

TlsPolicy parse_tls_policy(std::string_view text);

class TlsDestinations {
  public:
    TlsDestinations() = default;
    explicit TlsDestinations(const std::vector<std::string>& lines);
    // The line of the first of the names that has one, each by itself or its longest suffix; else the line
    // for everything else; else "may". Compared without case.
    const TlsPolicy& match(std::initializer_list<std::string_view> names) const;
    template <class Visit>
    void for_each(const Visit& visit) const {
        for (const auto& [destination, policy] : policies_) visit(policy);
    }
    // That of a file with one line, whatever its destination.
    const TlsPolicy& only() const { return policies_.begin()->second; }

  private:
    const TlsPolicy* find(std::string_view name) const;
    std::unordered_map<std::string, TlsPolicy> policies_;
    TlsPolicy fallback_;
};

// What holds on a route with credentials: the server is verified, unless a line that names it says otherwise.
TlsPolicy with_credentials(const TlsPolicy& policy);

}  // namespace relais::remote
