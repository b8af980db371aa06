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

namespace relais::remote {

struct Settings {
    std::string helo_host;
    Routes routes;
    control::DomainSet rcpthosts;  // with morercpthosts.cdb: the domains we take mail for
    control::DomainSet privatemx;  // domains whose servers may have private and loopback addresses
    Seconds timeout_connect{60};
    Seconds timeout_remote{1200};
    Seconds timeout_dns{30};
    Seconds idle{5};               // an open connection waits for the next message that long
    std::uint64_t messages = 100;  // on one connection at most
    bool strict_8bit = false;
};

class SettingsFiles {
  public:
    explicit SettingsFiles(const control::Home& home);
    // As the files are now. Throws Error.
    const Settings& current();
    // The domain is listed in morercpthosts.cdb. Throws Error.
    bool in_morercpthosts(std::string_view domain) const;

  private:
    control::Home home_;
    std::vector<control::ChangeWatch> watches_;
    bool valid_ = false;
    Settings settings_;
};

// What a connection may be shared for: equal for domains that go to the same place in the same way.
std::string route_key(const Settings& settings, std::string_view domain);

}  // namespace relais::remote
