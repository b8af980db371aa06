// The remote half of a route: smtproutes, MX records, addresses, and what is wrong with them.
#pragma once

#include "explain/dns.h"
#include "explain/route.h"
#include "remote/settings.h"

namespace relais::explain {

// The control files that both halves of the question read.
struct Surroundings {
    const control::Home& home;
    remote::SettingsFiles& files;
    const remote::Settings& settings;
    std::string
        rcpthosts;  // what says that we take mail for the domain: "rcpthosts", "morercpthosts.cdb", or ""
};

// The domain is remote. Fills report.remote, its fate and its answer. dns may be null: nothing is asked then.
void explain_remote(const Surroundings& around, const RouteOptions& options, const std::string& domain,
                    Dns* dns, RouteReport& report);

// The domain is local: whether the rest of the world sends its mail here.
void explain_inbound(const Surroundings& around, const std::string& domain, Dns& dns, RouteReport& report);

}  // namespace relais::explain
