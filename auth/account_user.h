// Whom a login becomes. qmail-authd says whose it is; with which ids and where, is said here by what nobody
// but root writes, so that who has taken qmail-authd over chooses among the accounts that there are.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "control/home.h"

namespace relais::auth {

struct AccountUser {
    uid_t uid = 0;
    gid_t gid = 0;
    std::vector<gid_t> groups;  // supplementary ones
    std::string home;
    std::string shell;
    std::string maildir;  // relative to home or absolute; empty: as the service has it
};

// name as qmail-authd gives it: user@domain is an account of users/passwd.cdb, any other one of the system's
// users. Throws a temporary Error if there is none, or if it may not have a delivery either
// (local/delivery_refusal.h): what users/passwd or users/assign names may have a uid below
// control/minimumuid.
AccountUser find_account_user(const control::Home& home, const std::string& name);

// Becomes that account for good: its ids and groups, its home as the working directory, USER, HOME and SHELL,
// and MAILDIR if it has a Maildir of its own (else that variable goes). Throws as find_account_user does, and
// Error when the home cannot be entered.
void become_account(const control::Home& home, const std::string& name);

}  // namespace relais::auth
