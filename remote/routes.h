// control/smtproutes: which domains do not go to their MX; and control/authsenders: which senders' mail does
// not go where that of others goes. A line is
//
//   domain:host[:port][|user|password]        smtproutes
//   sender:host[:port][|user|password]        authsenders
//
// domain is a whole name, ".suffix" for everything below it, or empty for every domain; the most specific one
// counts. sender is an address, "@domain" or "domain", "@.suffix", or empty for every sender. host is a name
// or an address, IPv6 in brackets; empty for "look up the MX as always, but on this port". The password is
// everything behind the second '|'. A line with one names its host: what MX records say is anybody's, and
// nobody's to give a password to. A line with one and without a colon counts for everything, and cannot be
// used.
//
// control/lmtproutes: domains whose mail a server stores that speaks LMTP (RFC 2033), as
//
//   domain:host:port        domain:/path        with domain as above; empty is not for every domain here
//
// control/qmtproutes: domains whose mail goes to a server that speaks QMTP, as
//
//   domain:host[:port]      with domain as in smtproutes; the host must be named, the port is 209
//
// It is one table with smtproutes: the most specific line of both counts, and of two for the same that of
// qmtproutes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "remote/credentials.h"

namespace relais::remote {

inline constexpr std::uint16_t smtp_port = 25;
inline constexpr std::uint16_t implicit_tls_port = 465;

// How the server is spoken to.
enum class Protocol { smtp, lmtp, qmtp };

enum class Passwords {
    keep,
    forget,  // for who only has to know where a route goes
};

struct Route {
    std::string host;  // empty: by MX; without brackets
    std::uint16_t port = smtp_port;
    bool named = false;       // a line names the domain, by itself or by a suffix
    bool usable = true;       // false: the line that counts has no valid port, host or credentials
    std::string line;         // the line that counts, for people: without its password
    std::string complaint{};  // why it is not usable
    std::shared_ptr<const Credentials> credentials{};  // set: mail on this route never leaves without them
    bool of_sender = false;                            // from authsenders
    Protocol protocol = Protocol::smtp;
    std::string socket{};  // of lmtproutes: the path; then there is no host
    // The name of the control file that the line is of.
    const char* name() const;
    const char* file() const;
};

class Routes {
  public:
    Routes() = default;
    // The lines are borrowed for the call; the passwords in them are wiped by who owns them.
    explicit Routes(const std::vector<std::string_view>& lines, Passwords passwords = Passwords::keep);
    // Adds those of control/qmtproutes.
    void add_qmtp(const std::vector<std::string>& lines);
    // The route of a domain (also an address literal), compared without case.
    Route match(std::string_view domain) const;
    bool has_credentials() const { return has_credentials_; }

  private:
    std::unordered_map<std::string, Route> targets_;
    bool has_credentials_ = false;
};

class LmtpRoutes {
  public:
    LmtpRoutes() = default;
    // The lines are borrowed for the call.
    explicit LmtpRoutes(const std::vector<std::string>& lines);
    // The route of a domain, compared without case; nothing if it has none.
    const Route* match(std::string_view domain) const;

  private:
    std::unordered_map<std::string, Route> targets_;
};

class SenderRoutes {
  public:
    SenderRoutes() = default;
    explicit SenderRoutes(const std::vector<std::string_view>& lines, Passwords passwords = Passwords::keep);
    // The route of a sender's mail; nothing if its recipients decide.
    const Route* match(std::string_view sender) const;
    bool has_credentials() const { return has_credentials_; }
    bool empty() const { return targets_.empty(); }

  private:
    const Route* find(const std::string& key) const;
    std::unordered_map<std::string, Route> targets_;
    bool has_credentials_ = false;
};

}  // namespace relais::remote
