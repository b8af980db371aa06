// What comes and goes in an instance, and therefore stands in no table: is it whose it must be, can the
// program that needs it read it? A restored backup, a root shell, chmod -R or chown -R often leave it
// otherwise.
#pragma once

#include <vector>

#include "setup/inspect.h"

namespace relais::setup {

// Each adds what it finds. They change nothing, and throw Error for what cannot be looked at.

// Control files and databases that others may write, and those that the programs cannot read.
void inspect_control(const Plan& plan, std::vector<Finding>& findings);
// Messages, bounce texts, and the files of qmail-queued and qmail-send.
void inspect_queue(const Plan& plan, std::vector<Finding>& findings);
// The sockets of a running instance, whose owner says who may connect.
void inspect_sockets(const Plan& plan, std::vector<Finding>& findings);
// multilog's files.
void inspect_logs(const Plan& plan, std::vector<Finding>& findings);
// Logins by POP and IMAP, open-smtpd's.
void inspect_logins(const Plan& plan, std::vector<Finding>& findings);
// Instructions for addresses without a user.
void inspect_alias(const Plan& plan, std::vector<Finding>& findings);

}  // namespace relais::setup
