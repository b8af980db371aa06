#include "control/owners.h"

#include <array>

#include "base/error.h"
#include "base/privilege.h"
#include "base/text.h"
#include "control/control_file.h"

namespace relais::control {
namespace {
constexpr std::array<std::pair<Role, std::string_view>, 10> names = {{{Role::alias, "alias"},
                                                                      {Role::qmaild, "qmaild"},
                                                                      {Role::qmailk, "qmailk"},
                                                                      {Role::qmaill, "qmaill"},
                                                                      {Role::qmailn, "qmailn"},
                                                                      {Role::qmailo, "qmailo"},
                                                                      {Role::qmailp, "qmailp"},
                                                                      {Role::qmailq, "qmailq"},
                                                                      {Role::qmailr, "qmailr"},
                                                                      {Role::qmails, "qmails"}}};

[[noreturn]] void wrong(const Home& home, std::string_view what) {
    throw_permanent("unable to use " + home.control_file("owners") + ": " + std::string(what) +
                    " (run qmail-setup --check " + home.directory() + ")");
}
}  // namespace

std::string_view Owners::name(Role role) {
    for (const auto& [candidate, name] : names)
        if (candidate == role) return name;
    return "";
}

std::optional<Role> Owners::find(std::string_view name) {
    for (const auto& [role, candidate] : names)
        if (candidate == name) return role;
    return std::nullopt;
}

Owners Owners::read(const Home& home) {
    Owners result = read_incomplete(home);
    for (const Role role : result.missing())
        wrong(home, "no line for " + std::string(name(role)) + ", which qmail-setup --repair adds");
    return result;
}

std::vector<Role> Owners::missing() const {
    std::vector<Role> roles;
    for (const auto& [role, name] : names)
        if (!owners_.contains(role)) roles.push_back(role);
    return roles;
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
        for (const auto& [role, name] : names)
            if (name == fields[0])
                result.owners_[role] = {static_cast<uid_t>(*uid), static_cast<gid_t>(*gid)};
    }
    if (!kind_seen) wrong(home, "it does not say instance:system or instance:user");
    return result;
}

void become(const Owners& owners, Role role) {
    const Owner owner = owners.of(role);
    empty_bounding_set();
    drop_privilege(owner.uid, owner.gid);
}

}  // namespace relais::control
