// doctor's look at those who get mail: accounts, users of the system, their Maildirs and mboxes.
#pragma once

#include "setup/layout.h"
#include "setup/report.h"

namespace relais::setup {

// Accounts whose domain is not delivered here, whose home does not exist, or who have no Maildir of their
// own. Throws Error.
void look_at_accounts(const Plan& plan, Report& report);

// Users of the system who would get mail into a Maildir that they do not have, or an mbox that takes nothing,
// and what new users get. Throws Error.
void look_at_users(const Plan& plan, Report& report);

}  // namespace relais::setup
