#include "setup/identity.h"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "setup/command.h"

namespace relais::setup {

using control::Owner;
using control::Owners;
using control::Role;

namespace {

// In the place of a role that control/owners does not know.
constexpr Owner nobody{65534, 65534};
// Behind these come the numbers of the two common groups.
constexpr uid_t first_roles = 10;

std::string_view group_of(Role role) {
    return control::roles.at(static_cast<std::size_t>(role)).group;
}

void must_run(const std::vector<std::string>& words, std::vector<std::string>& report) {
    const CommandResult result = capture(words, Deadline::in(Seconds(60)));
    if (!result.ok()) throw_permanent(words[0] + " " + words.back() + " failed: " + result.output);
    report.push_back("made the " + std::string(words[0] == "groupadd" ? "group " : "user ") + words.back());
}

gid_t group_id(const std::string& name, std::vector<std::string>& report) {
    const struct group* entry = ::getgrnam(name.c_str());
    if (entry == nullptr) {
        must_run({"groupadd", "--system", name}, report);
        entry = ::getgrnam(name.c_str());
    }
    if (entry == nullptr) throw_permanent("there is no group " + name + " after groupadd made it");
    return entry->gr_gid;
}

uid_t user_id(Role role, const std::string& home, std::vector<std::string>& report) {
    const std::string name(Owners::name(role));
    const struct passwd* entry = ::getpwnam(name.c_str());
    if (entry == nullptr) {
        must_run({"useradd", "--system", "--no-create-home", "--no-user-group", "--shell",
                  "/usr/sbin/nologin", "--gid", std::string(group_of(role)), "--home-dir",
                  role == Role::alias ? home + "/alias" : home, name},
                 report);
        entry = ::getpwnam(name.c_str());
    }
    if (entry == nullptr) throw_permanent("there is no user " + name + " after useradd made it");
    if (entry->pw_uid == 0) throw_permanent("the user " + name + " has uid 0: no role may be root");
    return entry->pw_uid;
}

// Above all that roles have as users and groups, and nobody's on this machine.
uid_t free_number(const Identity& identity) {
    uid_t number = 0;
    for (const auto& [role, owner] : identity.owners)
        if (identity.has(role)) number = std::max({number, owner.uid + 1, owner.gid + 1});
    while (::getpwuid(number) != nullptr || ::getgrgid(number) != nullptr) ++number;
    return number;
}

// The group that the others of it have; nothing if there are none.
std::optional<gid_t> common_group(const Identity& identity, std::string_view group) {
    for (const auto& [role, owner] : identity.owners)
        if (identity.has(role) && group_of(role) == group) return owner.gid;
    return std::nullopt;
}

}  // namespace

bool Identity::has(Role role) const {
    return std::find(missing.begin(), missing.end(), role) == missing.end();
}

Identity identity_of_user(uid_t uid, gid_t gid) {
    if (uid == 0) throw_permanent("an instance of one user cannot be root's: name an ordinary user");
    Identity identity;
    identity.single = true;
    for (const auto& row : control::roles) identity.owners[row.role] = {uid, gid};
    return identity;
}

Identity identity_of_numbers(uid_t base) {
    if (base == 0) throw_permanent("the first number of the roles cannot be 0");
    Identity identity;
    const gid_t queue = base + first_roles, common = queue + 1;
    for (const auto& row : control::roles) {
        const auto number = static_cast<uid_t>(row.role);
        const uid_t uid = base + number + (number < first_roles ? 0 : 2);
        // Any other group is named after the role that was first in it.
        const auto first = Owners::find(row.group);
        identity.owners[row.role] = {uid, row.group == "qmail"          ? queue
                                          : row.group == "nofiles"      ? common
                                          : first && *first != row.role ? identity.owners.at(*first).gid
                                                                        : uid};
    }
    return identity;
}

Identity identity_of_system(const std::string& home, std::vector<std::string>& report) {
    Identity identity;
    identity.named = true;
    for (const auto& row : control::roles) {
        const gid_t gid = group_id(std::string(row.group), report);
        identity.owners[row.role] = {user_id(row.role, home, report), gid};
    }
    return identity;
}

Identity identity_of_instance(const control::Home& home) {
    const Owners owners = Owners::read_incomplete(home);
    Identity identity;
    identity.single = owners.single();
    identity.named = !identity.single;
    identity.missing = owners.missing();
    for (const Role role : identity.missing) identity.owners[role] = nobody;
    for (const auto& [role, name, group, before] : control::roles) {
        if (identity.owners.contains(role)) continue;
        identity.owners[role] = owners.of(role);
        const struct passwd* entry = ::getpwuid(owners.of(role).uid);
        if (entry == nullptr || entry->pw_name != name) identity.named = false;
    }
    return identity;
}

gid_t group_of_user(uid_t user, gid_t known) {
    const struct passwd* entry = ::getpwuid(user);
    return entry != nullptr && entry->pw_gid != 0 ? entry->pw_gid : known;
}

Identity completed(const Identity& identity, const control::Home& home, std::vector<std::string>& report) {
    if (identity.missing.size() == control::roles.size())
        throw_permanent("control/owners names nobody at all: " + home.control_file("owners"));
    Identity whole = identity;
    for (const Role role : identity.missing) {
        const auto group = common_group(whole, group_of(role));
        Owner owner = whole.owners.at(Role::qmailq);
        if (identity.named) {
            owner.gid = group ? *group : group_id(std::string(group_of(role)), report);
            owner.uid = user_id(role, home.directory(), report);
        } else if (!identity.single) {
            owner.uid = free_number(whole);
            owner.gid = group.value_or(owner.uid);
        }
        whole.owners[role] = owner;
        std::erase(whole.missing, role);
    }
    return whole;
}

std::string owners_text(const Identity& identity) {
    std::string text = identity.single ? "instance:user\n" : "instance:system\n";
    for (const auto& row : control::roles) {
        const Owner owner = identity.of(row.role);
        text +=
            std::string(row.name) + ":" + std::to_string(owner.uid) + ":" + std::to_string(owner.gid) + "\n";
    }
    return text;
}

bool may_enter(const std::string& directory, Owner who) {
    struct stat info {};
    if (::stat(directory.c_str(), &info) != 0) throw_errno("look at", directory);
    if (info.st_uid == who.uid) return (info.st_mode & S_IXUSR) != 0;
    if (info.st_gid == who.gid) return (info.st_mode & S_IXGRP) != 0;
    return (info.st_mode & S_IXOTH) != 0;
}

std::string first_closed_directory(const std::string& path, const Identity& identity) {
    std::vector<std::string> directories = {"/"};
    for (std::size_t end = path.find('/', 1); end != std::string::npos; end = path.find('/', end + 1))
        directories.push_back(path.substr(0, end));
    directories.push_back(path);
    for (const std::string& directory : directories)
        for (const auto& [role, owner] : identity.owners)
            if (!may_enter(directory, owner)) return directory;
    return "";
}

}  // namespace relais::setup
