// What qmail-passwd does with an account of users/passwd: who a new one belongs to, what a change makes of
// it, and how it is shown. Neither hashes nor secrets are.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "auth/account.h"
#include "base/json.h"
#include "control/home.h"
#include "sasl/secret.h"

namespace relais::auth {

// Beside the password. What is not given stays; of a new account it is looked up.
struct AccountChanges {
    bool store_secret = false;
    bool forget_secret = false;
    bool no_scram = false;
    std::optional<unsigned> uid;
    std::optional<unsigned> gid;
    std::optional<std::string> home;
    std::optional<std::string> shell;
    std::optional<std::string> maildir;
};

struct ChangedAccount {
    Account account;
    bool added = false;
};

// The account that was typed, in its one spelling. Throws a permanent Error if that cannot be one.
std::string account_name(const control::Home& home, const std::string& typed);

// Makes the account, or gives it the password and the changes. Throws a permanent Error where nothing says
// whose a new one is.
ChangedAccount set_account(const control::Home& home, const std::string& name, const Secret& password,
                           const AccountChanges& changes);

// Why nobody can send mail to the account, or fetch it: most likely a slip.
std::vector<std::string> doubts_about(const control::Home& home, const Account& account);

// With the fields of `qmail-passwd list --json`.
Json described(const Account& account);
// A field a line, for people.
std::string account_page(const Account& account);

}  // namespace relais::auth
