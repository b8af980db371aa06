// Who owns what in an instance. qmail-setup writes control/owners; nothing is ever inferred. Its first line
// is "instance:system" (several users, started by root) or "instance:user" (all of it one ordinary user's);
// then a line "role:uid:gid" for each role.
#pragma once

#include <sys/types.h>

#include <array>
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
    // Appended: numbers that an instance has never move.
    qmailv,  // validators of bearer tokens: foreign code
    qmailh,  // checks of password hashes
    qmaila,  // qmail-authd: passwords
    qmailf,  // $QMAILQUEUE programs of qmail-smtpd's listener: foreign code
    qmailc,  // qmail-countd: what clients have sent
    qmailm,  // qmail-metrics: shows the counters of all
    qmailt,  // qmail-traced: what became of each message
    qmailw,  // qmail-stsd: policies of other domains, by HTTPS
    qmailx,  // qmail-milterd: has milters look at messages
    qmailb,  // qmail-console: speaks with browsers
};

struct RoleRow {
    Role role;
    std::string_view name;
    std::string_view group;   // of this machine, where the roles are users of it
    std::string_view before;  // as whom its programs run where control/owners is older; "" if that is wrong
};

// In the order of control/owners. Groups: qmailq and qmails share the queue, qmaila alone reads the accounts,
// qmailm and qmailb the counters.
inline constexpr std::array<RoleRow, 20> roles = {
    {{Role::alias, "alias", "nofiles", ""},         {Role::qmaild, "qmaild", "nofiles", ""},
     {Role::qmailk, "qmailk", "nofiles", ""},       {Role::qmaill, "qmaill", "nofiles", ""},
     {Role::qmailn, "qmailn", "nofiles", ""},       {Role::qmailo, "qmailo", "nofiles", ""},
     {Role::qmailp, "qmailp", "nofiles", ""},       {Role::qmailq, "qmailq", "qmail", ""},
     {Role::qmailr, "qmailr", "nofiles", ""},       {Role::qmails, "qmails", "qmail", ""},
     {Role::qmailv, "qmailv", "nofiles", "qmailp"}, {Role::qmailh, "qmailh", "nofiles", "qmailp"},
     {Role::qmaila, "qmaila", "qmaila", "root"},    {Role::qmailf, "qmailf", "nofiles", "qmaild"},
     {Role::qmailc, "qmailc", "nofiles", "qmailp"}, {Role::qmailm, "qmailm", "qmailm", "qmailp"},
     {Role::qmailt, "qmailt", "nofiles", "qmailp"}, {Role::qmailw, "qmailw", "nofiles", "qmailn"},
     {Role::qmailx, "qmailx", "nofiles", "qmailn"}, {Role::qmailb, "qmailb", "qmailm", "qmailm"}}};

struct Owner {
    uid_t uid;
    gid_t gid;
};

class Owners {
  public:
    // Reads control/owners. Throws a permanent Error that says what to do when it is missing or wrong, also
    // when a role without a predecessor has no line.
    static Owners read(const Home& home);
    // The same, but a role without a line is no error: the file may be older than the role.
    static Owners read_incomplete(const Home& home);
    std::vector<Role> missing() const;
    bool has(Role role) const { return owners_.contains(role); }
    // True if the whole instance belongs to one ordinary user.
    bool single() const { return single_; }
    // Where the role has no line, its predecessor; 0 and 0 for root.
    Owner of(Role role) const;

    static std::string_view name(Role role);
    // The role of that name; nothing if there is none.
    static std::optional<Role> find(std::string_view name);

  private:
    bool single_ = false;
    std::map<Role, Owner> owners_;
};

// Says in the log, of each of them that has no line in control/owners, as whom its programs run.
void warn_of_missing(const Owners& owners, const std::vector<Role>& of);

// Becomes the role's user for good (drop_privilege). In an instance of several users the process must be
// root.
void become(const Owners& owners, Role role);

}  // namespace relais::control
