#include "setup/secrets.h"

#include <fmt/core.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "control/secret_file.h"
#include "setup/mend.h"

namespace relais::setup {

using control::Owner;
using control::Role;

namespace {

Wanted closed_to_others(const Plan& plan, std::string_view name) {
    const Owner administrator = plan.identity.administrator();
    if (name != "users/passwd.cdb" || plan.identity.single || !plan.identity.has(Role::qmaila))
        return {Type::file, administrator, 0600};
    return {Type::file, {administrator.uid, plan.identity.of(Role::qmaila).gid}, 0440};
}

}  // namespace

void inspect_passwords(const Plan& plan, std::vector<Finding>& findings) {
    const Owner owner = plan.identity.of(Role::qmailr);
    for (const char* name : {"smtproutes", "authsenders"}) {
        const std::string path = plan.home.control_file(name);
        if (::access(path.c_str(), F_OK) != 0) continue;
        if (::access(path.c_str(), R_OK) != 0) {
            findings.push_back({"unable to open " + path + ": " + errno_text(errno), nullptr, true});
            continue;
        }
        const auto lines = control::SecretLines::read_unchecked(plan.home, name);
        const auto wrong = lines ? lines->exposure(owner.uid) : std::nullopt;
        const std::string below = "control/" + std::string(name);
        const auto info = plan.tree->look(below);
        const Wanted closed{Type::file, owner, 0400};
        if (wrong && info)
            findings.push_back({path + ": " + *wrong + refusal(*plan.tree, *info, closed),
                                remedy(plan.tree, below, *info, closed)});
    }
}

void inspect_accounts(const Plan& plan, std::vector<Finding>& findings) {
    for (const char* name : {"users/passwd", "users/passwd.cdb", "users/passwd.tmp"}) {
        const std::string path = plan.home.path(name);
        const auto info = plan.tree->look(name);
        if (!info) continue;
        if (!S_ISREG(info->st_mode)) {
            findings.push_back({path + " is not a plain file", nullptr});
            continue;
        }
        const Wanted closed = closed_to_others(plan, name);
        const mode_t mode = info->st_mode & 07777;
        if (mode == closed.mode && info->st_uid == closed.owner.uid &&
            (info->st_gid == closed.owner.gid || (mode & 0070) == 0))
            continue;
        findings.push_back(
            {fmt::format("{} has passwords; it belongs to {} with mode {:o}, not to {} with mode {:o}{}",
                         path, owner_text({info->st_uid, info->st_gid}), mode, owner_text(closed.owner),
                         closed.mode, refusal(*plan.tree, *info, closed)),
             remedy(plan.tree, name, *info, closed)});
    }
}

void add_roles(const control::Home& home, std::vector<std::string>& report) {
    Plan plan = plan_of_instance(home);
    const std::vector<Role> missing = plan.identity.missing;
    if (missing.empty()) return;
    plan.identity = completed(plan.identity, home, report);
    plan.tree = std::make_shared<const Tree>(home, plan.identity);
    std::vector<Finding> findings;
    inspect_accounts(plan, findings);
    for (const Finding& finding : findings) {
        if (!finding.mend) throw_permanent("no role is added to control/owners: " + finding.text);
        finding.mend();
        report.push_back("mended: " + finding.text);
    }
    replace_file(home.control_file("owners"), owners_text(plan.identity), 0644);
    for (const Role role : missing)
        report.push_back("added a line for " + std::string(control::Owners::name(role)) +
                         " to control/owners");
}

}  // namespace relais::setup
