#include "setup/identity.h"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>

#include <algorithm>

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

// qmail-queued and qmail-send share the queue; nobody else is in their group.
std::string_view group_of(Role role) {
    return role == Role::qmailq || role == Role::qmails ? "qmail" : "nofiles";
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

}  // namespace

Identity identity_of_user(uid_t uid, gid_t gid) {
    if (uid == 0) throw_permanent("an instance of one user cannot be root's: name an ordinary user");
    Identity identity;
    identity.single = true;
    for (const Role role : all_roles) identity.owners[role] = {uid, gid};
    return identity;
}

Identity identity_of_numbers(uid_t base) {
    if (base == 0) throw_permanent("the first number of the roles cannot be 0");
    Identity identity;
    uid_t next = base;
    for (const Role role : all_roles)
        identity.owners[role] = {next++, group_of(role) == "qmail" ? base + 10 : base + 11};
    return identity;
}

Identity identity_of_system(const std::string& home, std::vector<std::string>& report) {
    Identity identity;
    identity.named = true;
    for (const Role role : all_roles) {
        const gid_t gid = group_id(std::string(group_of(role)), report);
        identity.owners[role] = {user_id(role, home, report), gid};
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
    for (const Role role : all_roles) {
        if (identity.owners.contains(role)) continue;
        identity.owners[role] = owners.of(role);
        const struct passwd* entry = ::getpwuid(owners.of(role).uid);
        if (entry == nullptr || entry->pw_name != Owners::name(role)) identity.named = false;
    }
    return identity;
}

gid_t group_of_user(uid_t user, gid_t known) {
    const struct passwd* entry = ::getpwuid(user);
    return entry != nullptr && entry->pw_gid != 0 ? entry->pw_gid : known;
}

void complete_owners(const control::Home& home, std::vector<std::string>& report) {
    Identity identity = identity_of_instance(home);
    if (identity.missing.empty()) return;
    if (identity.missing.size() == all_roles.size())
        throw_permanent("control/owners names nobody at all: " + home.control_file("owners"));
    // Somebody who is there: whose group is that of the new ones.
    std::map<std::string_view, gid_t> groups;
    Owner last{};
    for (const auto& [role, owner] : identity.owners) {
        if (std::find(identity.missing.begin(), identity.missing.end(), role) != identity.missing.end())
            continue;
        groups[group_of(role)] = owner.gid;
        last.uid = std::max(last.uid, owner.uid);
        last.gid = owner.gid;
    }
    for (const Role role : identity.missing) {
        const auto group = groups.find(group_of(role));
        const gid_t gid = group != groups.end() ? group->second : last.gid;
        if (!identity.single) ++last.uid;
        while (!identity.single && !identity.named && ::getpwuid(last.uid) != nullptr) ++last.uid;
        identity.owners[role] =
            identity.named ? Owner{user_id(role, home.directory(), report), gid} : Owner{last.uid, gid};
        report.push_back("added a line for " + std::string(Owners::name(role)) + " to control/owners");
    }
    replace_file(home.control_file("owners"), owners_text(identity), 0644);
}

std::string owners_text(const Identity& identity) {
    std::string text = identity.single ? "instance:user\n" : "instance:system\n";
    for (const Role role : all_roles) {
        const Owner owner = identity.of(role);
        text += std::string(Owners::name(role)) + ":" + std::to_string(owner.uid) + ":" +
                std::to_string(owner.gid) + "\n";
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
