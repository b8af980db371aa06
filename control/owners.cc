#include "control/owners.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "base/privilege.h"
#include "base/program.h"
#include "base/text.h"
#include "control/control_file.h"

namespace relais::control {
namespace {
const RoleRow& row_of(Role role) {
    return *std::find_if(roles.begin(), roles.end(), [&](const RoleRow& row) { return row.role == role; });
}

[[noreturn]] void wrong(const Home& home, std::string_view what) {
    throw_permanent("unable to use " + home.control_file("owners") + ": " + std::string(what) +
                    " (run qmail-setup --check " + home.directory() + ")");
}
}  // namespace

std::string_view Owners::name(Role role) {
    return row_of(role).name;
}

std::optional<Role> Owners::find(std::string_view name) {
    for (const RoleRow& row : roles)
        if (row.name == name) return row.role;
    return std::nullopt;
}

Owners Owners::read(const Home& home) {
    Owners result = read_incomplete(home);
    for (const Role role : result.missing())
        if (row_of(role).before.empty())
            wrong(home, "no line for " + std::string(name(role)) + ", which qmail-setup --repair adds");
    return result;
}

std::vector<Role> Owners::missing() const {
    std::vector<Role> found;
    for (const RoleRow& row : roles)
        if (!has(row.role)) found.push_back(row.role);
    return found;
}

Owner Owners::of(Role role) const {
    if (has(role)) return owners_.at(role);
    // All roles of such an instance are the one user.
    if (single_) return owners_.at(Role::qmailq);
    const auto before = find(row_of(role).before);
    return before ? of(*before) : Owner{0, 0};
}

Owners Owners::read_incomplete(const Home& home) {
    const auto lines = read_lines(home, "owners");
    if (!lines) wrong(home, "there is no such file");
    Owners result;
    bool kind_seen = false;
    for (const std::string& line : *lines) {
        const auto fields = split(line, ':');
        if (fields[0] == "instance" && fields.size() == 2 && (fields[1] == "system" || fields[1] == "user")) {
            result.single_ = fields[1] == "user";
            kind_seen = true;
            continue;
        }
        if (fields.size() != 3) wrong(home, "bad line " + line);
        const auto uid = parse_number(fields[1]);
        const auto gid = parse_number(fields[2]);
        if (!uid || !gid || *uid >= 0xffffffff || *gid >= 0xffffffff)
            wrong(home, "bad number in line " + line);
        if (const auto role = find(fields[0]))
            result.owners_[*role] = {static_cast<uid_t>(*uid), static_cast<gid_t>(*gid)};
    }
    if (!kind_seen) wrong(home, "it does not say instance:system or instance:user");
    return result;
}

void warn_of_missing(const Owners& owners, const std::vector<Role>& of) {
    for (const Role role : of) {
        if (owners.has(role)) continue;
        const RoleRow& row = row_of(role);
        log_line(
            fmt::format("warning: control/owners has no line for {}, whose programs run as {}: qmail-setup "
                        "--repair adds it",
                        row.name, owners.single() ? "the one user" : row.before));
    }
}

void become(const Owners& owners, Role role) {
    const Owner owner = owners.of(role);
    empty_bounding_set();
    drop_privilege(owner.uid, owner.gid);
}

}  // namespace relais::control
