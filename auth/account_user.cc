#include "auth/account_user.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <cstdlib>

#include "auth/account.h"
#include "auth/passwd_file.h"
#include "base/cdb.h"
#include "base/error.h"
#include "base/privilege.h"
#include "control/owners.h"
#include "local/delivery_refusal.h"
#include "local/user_database.h"

namespace relais::auth {
namespace {

[[noreturn]] void refuse(const std::string& name, const std::string& why) {
    throw Error(Reaction::temporary, "unable to log in " + name + ": " + why);
}

AccountUser account(const control::Home& home, const std::string& name) {
    const CdbReader database(passwd_database(home));
    const auto data = database.find(name);
    const auto found = data ? decode_record(name, *data) : std::nullopt;
    if (!found)
        refuse(name, data ? "its record in users/passwd.cdb is damaged" : "it is not in users/passwd.cdb");
    return {found->uid, found->gid, {found->gid}, found->home, found->shell, found->maildir};
}

AccountUser system_account(const std::string& name) {
    errno = 0;
    const passwd* const entry = ::getpwnam(name.c_str());
    if (entry == nullptr) refuse(name, "there is no such user of the system");
    AccountUser user{entry->pw_uid, entry->pw_gid, {}, entry->pw_dir, entry->pw_shell, ""};
    int count = 256;
    user.groups.resize(static_cast<std::size_t>(count));
    if (::getgrouplist(name.c_str(), user.gid, user.groups.data(), &count) < 0)
        refuse(name, "the user is in too many groups");
    user.groups.resize(static_cast<std::size_t>(count));
    return user;
}

// With that uid.
bool is_assigned(const control::Home& home, const std::string& name, uid_t uid) {
    const auto database = local::open_assigned(home);
    const auto user =
        database ? local::find_assigned(name, [&](std::string_view key) { return database->find(key); })
                 : std::nullopt;
    return user && user->uid == uid;
}

void set_variable(const char* name, const std::string& value) {
    if (::setenv(name, value.c_str(), 1) != 0) throw_errno("set", name);
}

}  // namespace

AccountUser find_account_user(const control::Home& home, const std::string& name) {
    const bool listed = name.find('@') != std::string::npos;
    AccountUser user = listed ? account(home, name) : system_account(name);
    const bool assigned = listed || is_assigned(home, name, user.uid);
    const auto refusal = local::refusal_of_ids(control::Owners::read(home), {user.uid, user.gid, assigned},
                                               local::minimum_uid(home));
    if (refusal) refuse(name, *refusal);
    return user;
}

void become_account(const control::Home& home, const std::string& name) {
    const AccountUser user = find_account_user(home, name);
    drop_privilege(user.uid, user.gid, ::geteuid() == 0 ? user.groups : std::vector<gid_t>{});
    if (::chdir(user.home.c_str()) != 0) throw_errno("change to", user.home);
    set_variable("USER", name);
    set_variable("HOME", user.home);
    set_variable("SHELL", user.shell.empty() ? "/bin/sh" : user.shell);
    if (user.maildir.empty())
        ::unsetenv("MAILDIR");
    else
        set_variable("MAILDIR", user.maildir);
}

}  // namespace relais::auth
