// Who owns what in an instance. qmail-setup writes control/owners; nothing is ever inferred. Its first line
// is "instance:system" (several users, started by root) or "instance:user" (all of it one ordinary user's);
// then a line "role:uid:gid" for each role.
#pragma once

#include <sys/types.h>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/home.h"

namespace relais::control {

enum class Role {
    alias,   // mail for addresses without a user
    qmaild,  // qmail-smtpd
    qmailk,  // qmail-keyd: private keys and ticket keys
    qmaill,  // multilog
    qmailn,  // qmail-resolver: the only one that parses DNS
    qmailo,  // open-smtpd: the only writer of who may relay after a login
    qmailp,  // user look-ups
    qmailq,  // qmail-queued: the only writer of new messages
    qmailr,  // qmail-rspawn, qmail-remote
    qmails,  // qmail-send
};

struct Owner {
    uid_t uid;
    gid_t gid;
};

class Owners {
  public:
    // Reads control/owners. Throws a permanent Error that says what to do when it is missing or wrong.
    static Owners read(const Home& home);
    // The same, but a role without a line is no error: the file may be older than the role.
    static Owners read_incomplete(const Home& home);
    std::vector<Role> missing() const;
    // True if the whole instance belongs to one ordinary user.
    bool single() const { return single_; }
    Owner of(Role role) const { return owners_.at(role); }

    static std::string_view name(Role role);
    // The role of that name; nothing if there is none.
    static std::optional<Role> find(std::string_view name);

  private:
    bool single_ = false;
    std::map<Role, Owner> owners_;
};

// Becomes the role's user for good (drop_privilege). In an instance of several users the process must be
// root.
void become(const Owners& owners, Role role);

}  // namespace relais::control
