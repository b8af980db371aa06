// Look-ups in users/cdb, and users at all: users/cdb first, then the system's users, then the alias user.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/cdb.h"
#include "control/control_file.h"
#include "control/home.h"
#include "control/owners.h"
#include "local/user.h"

namespace relais::local {

// Finds an address in users/cdb: the exact address, else the longest prefix that ends in one of the
// characters that prefixes end in, else the empty prefix. Letter case does not count, and is kept in what
// goes behind the extension. find answers the data of a key. Throws a temporary Error for a record that
// cannot be read.
using FindRecord = std::function<std::optional<std::string_view>(std::string_view key)>;
std::optional<User> find_assigned(std::string_view local, const FindRecord& find);

// users/cdb, or nothing if there is none. Throws Error.
std::optional<CdbReader> open_assigned(const control::Home& home);

// An entry of the system's user data base.
struct SystemUser {
    std::string name;
    uid_t uid = 0;
    gid_t gid = 0;
    std::string home;
};
using FindSystemUser = std::function<std::optional<SystemUser>(const std::string& name)>;

// getpwnam: nothing if there is no such user; throws a temporary Error when that cannot be told now.
std::optional<SystemUser> system_user(const std::string& name);

// Finds the system's user whose name is the address, or the part of it before a dash (the longest that is
// one), in lower case. Passed over are uid 0 and users that do not own their home directory. Throws a
// temporary Error when that cannot be told now.
std::optional<User> find_system_user(std::string_view local, const FindSystemUser& find);

// Which of the three steps found a user, and the key in users/cdb that matched (without its NUL).
struct FoundBy {
    enum class Step { assign, system, alias };
    Step step = Step::alias;
    std::string key;
};

// All three steps for one instance; for a long-lived process. It sees a new users/cdb at the next look-up.
class UserFinder {
  public:
    explicit UserFinder(control::Home home);
    // Always a user: the last resort is alias, with the whole address as extension. Throws a temporary Error.
    User find(std::string_view local, FoundBy* by = nullptr);
    // Steps two and three alone: qmail-getpw.
    User find_without_assign(std::string_view local, FoundBy* by = nullptr) const;

  private:
    control::Home home_;
    control::Owners owners_;
    control::Cached<std::optional<CdbReader>> database_;
};

}  // namespace relais::local
