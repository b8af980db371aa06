// doctor's look at what others see of an instance: its addresses and their names, the records of its domains,
// its keys and its certificate (setup/public_server.h). Changes nothing.
#pragma once

#include <string>
#include <vector>

#include "setup/layout.h"
#include "setup/report.h"

namespace relais::setup {

struct InternetOptions {
    std::vector<std::string> addresses{};  // which others see; without one those of this machine
    std::vector<std::string> domains{};    // without one all that take mail or have keys
};

// Key files and certificate are opened by a process that ends before anybody is asked; what DNS and
// qmail-stsd say is looked at by one that is qmailr, and confined. What cannot be looked at is a finding;
// throws a permanent Error for options that make no sense.
void look_at_internet(const Plan& plan, const InternetOptions& options, Report& report);

}  // namespace relais::setup
