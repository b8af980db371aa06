// users/passwd, the source of all accounts, mode 0600, and users/passwd.cdb, what qmail-authd reads: mode
// 0440 and qmaila's group, or 0600 where control/owners does not name that role, or the instance is one
// user's.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "auth/account.h"
#include "base/fd.h"
#include "control/home.h"

namespace relais::auth {

std::string passwd_path(const control::Home& home);
std::string passwd_database(const control::Home& home);

// The domain of a login without one: control/defaultdomain, else control/me.
std::string default_domain(const control::Home& home);

class PasswdFile {
  public:
    // Reads users/passwd; a missing one is empty. With change it first waits for everybody else who changes
    // it, and keeps them out as long as this object lives. Throws a permanent Error with the number of a line
    // that is wrong.
    PasswdFile(const control::Home& home, bool change);

    // In the order of the file. Of two lines for one account the first counts.
    std::vector<Account> accounts() const;
    std::optional<Account> find(std::string_view name) const;

    // Replaces the account's line or adds one at the end; comments stay.
    void set(const Account& account);
    // False if there is none.
    bool remove(std::string_view name);
    // Writes both files, the database last, each replaced as a whole. Throws Error; the database is then the
    // old one.
    void save() const;

  private:
    control::Home home_;
    Fd lock_;
    std::vector<std::string> lines_;
    std::vector<std::optional<Account>> parsed_;  // nothing: a comment
};

}  // namespace relais::auth
