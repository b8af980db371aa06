// doctor's look at who may relay, and at what of the machine has to do with mail.
#pragma once

#include "setup/layout.h"
#include "setup/report.h"

namespace relais::setup {

// What relay-explain --audit knows. Throws Error.
void look_at_relaying(const Plan& plan, Report& report);

// Whether /usr/sbin/sendmail and /usr/lib/sendmail are ours, where this instance has the host's mail: cron,
// mail(1) and PHP call these.
void look_at_sendmail(const Plan& plan, Report& report);
// One of these places. diverts: the machine's packages keep away from what dpkg-divert has moved.
void look_at_sendmail_place(const Plan& plan, const std::string& path, bool diverts, Report& report);

// Logins that have gone beyond a hard budget (control/ratelimits), as qmail-countd knows. Throws nothing:
// where it does not answer others say so.
void look_at_held_logins(const Plan& plan, Report& report);

}  // namespace relais::setup
