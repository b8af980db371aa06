// What qmail-remote reads from control/, read again when a file has changed: processes in a pool live long.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/cdb.h"
#include "base/deadline.h"
#include "control/control_file.h"
#include "control/home.h"
#include "control/setting.h"
#include "control/watched.h"
#include "remote/routes.h"
#include "remote/source.h"
#include "remote/tls_policy.h"

namespace relais::remote {

struct Settings {
    std::string helo_host;
    Routes routes;
    SenderRoutes sender_routes;
    LmtpRoutes lmtp_routes;
    TlsDestinations tls;
    bool dane = control::default_of<"dane">();
    bool mtasts = control::default_of<"mtasts">();
    std::string mtasts_authorities{control::default_of<"mtastsca">()};  // as TlsPolicy::ca_file
    Sources sources;
    Families families;
    control::DomainSet rcpthosts;  // with morercpthosts: the domains we take mail for
    std::shared_ptr<const CdbReader> morercpthosts;
    control::DomainSet privatemx;  // domains whose servers may have private and loopback addresses
    Seconds timeout_connect = control::default_of<"timeoutconnect">();
    Seconds timeout_remote = control::default_of<"timeoutremote">();
    Seconds timeout_dns = control::default_of<"timeoutdns">();
    // An open connection waits for the next message that long.
    Seconds idle = control::default_of<"remoteidle">();
    std::uint64_t messages = control::default_of<"remotemessages">();  // on one connection at most
    Seconds tls_memory = control::default_of<"tlsmemory">();           // 0: nobody is held to TLS by it
    bool strict_8bit = false;
    std::uint64_t requiretls = control::default_of<"requiretls">();
    bool hide_addresses = control::default_of<"proctitle">();
    std::size_t digest = 0;  // of what they were read from: what was decided by others is not reused

    // Throws Error.
    static Settings read(const control::Home& home, Passwords passwords);
};

class SettingsFiles {
  public:
    explicit SettingsFiles(const control::Home& home, Passwords passwords = Passwords::keep)
        : home_(home), settings_(home, [home, passwords] { return Settings::read(home, passwords); }) {}
    // As the files are now. Throws Error.
    const Settings& current();
    // From now on current() answers what it has answered last: for who may not open the files any more.
    void keep() { kept_ = true; }
    // Another one each time the files have been read.
    std::uint64_t version() const { return settings_.version(); }
    // The domain was listed in morercpthosts.cdb then. Throws Error.
    bool in_morercpthosts(std::string_view domain) const;

  private:
    control::Home home_;
    control::Watched<Settings> settings_;
    std::shared_ptr<const CdbReader> morercpthosts_;  // of settings_
    bool kept_ = false;
};

// The way of a message: where its recipients' mail is stored (lmtproutes), by its sender's route, or its
// recipients'.
Route route_of(const Settings& settings, std::string_view sender, std::string_view domain);

// The password of a route that has credentials, read for one message; empty if the file has changed since.
// Throws Error.
Secret password_of(const control::Home& home, const Route& route, std::string_view sender,
                   std::string_view domain);

// The files with certificates of authorities that control/tlsdestinations and mtastsca name.
std::vector<std::string> authority_files(const control::Home& home, const Settings& settings);
// Where the file of a policy is.
std::string authority_file(const control::Home& home, const TlsPolicy& policy);

// How a connection on that way to that server is to be protected. On a route with credentials only a line
// that names the route's host counts beside the one for everything: what is asked of a recipient's own
// servers is not meant for who gets our password.
TlsPolicy tls_policy_of(const Settings& settings, const Route& route, std::string_view domain,
                        std::string_view server);

// What a connection may be shared for: equal for messages that go to the same place in the same way, as the
// same user and by the same settings.
std::string route_key(const Settings& settings, std::string_view sender, std::string_view domain);

}  // namespace relais::remote
