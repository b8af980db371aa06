// What qmail-remote reads from control/, read again when a file has changed: processes in a pool live long.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "control/control_file.h"
#include "control/home.h"
#include "remote/routes.h"
#include "remote/source.h"
#include "remote/tls_policy.h"

namespace relais::remote {

struct Settings {
    std::string helo_host;
    Routes routes;
    SenderRoutes sender_routes;
    TlsDestinations tls;
    Sources sources;
    Families families;
    control::DomainSet rcpthosts;  // with morercpthosts.cdb: the domains we take mail for
    control::DomainSet privatemx;  // domains whose servers may have private and loopback addresses
    Seconds timeout_connect{60};
    Seconds timeout_remote{1200};
    Seconds timeout_dns{30};
    Seconds idle{5};               // an open connection waits for the next message that long
    std::uint64_t messages = 100;  // on one connection at most
    bool strict_8bit = false;
    std::size_t digest = 0;  // of what they were read from: what was decided by others is not reused
};

class SettingsFiles {
  public:
    explicit SettingsFiles(const control::Home& home, Passwords passwords = Passwords::keep);
    // As the files are now. Throws Error.
    const Settings& current();
    // The domain is listed in morercpthosts.cdb. Throws Error.
    bool in_morercpthosts(std::string_view domain) const;

  private:
    bool changed();
    Settings read() const;
    Families read_families() const;

    control::Home home_;
    Passwords passwords_;
    // A file that does not exist begins to when its directory changes: the many that most instances lack cost
    // nothing.
    control::ChangeWatch directory_;
    struct Watched {
        std::string path;
        control::ChangeWatch watch;
        bool exists;
    };
    std::vector<Watched> files_;
    bool valid_ = false;
    Settings settings_;
};

// The way of a message: by its sender's route, or its recipients'.
Route route_of(const Settings& settings, std::string_view sender, std::string_view domain);

// How a connection on that way to that server is to be protected. On a route with credentials only a line
// that names the route's host counts beside the one for everything: what is asked of a recipient's own
// servers is not meant for who gets our password.
TlsPolicy tls_policy_of(const Settings& settings, const Route& route, std::string_view domain,
                        std::string_view server);

// What a connection may be shared for: equal for messages that go to the same place in the same way, as the
// same user and by the same settings.
std::string route_key(const Settings& settings, std::string_view sender, std::string_view domain);

}  // namespace relais::remote
