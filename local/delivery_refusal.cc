#include "local/delivery_refusal.h"

#include <fmt/core.h>

#include "base/error.h"
#include "control/setting.h"
#include "local/user_database.h"

namespace relais::local {
namespace {

using control::Role;

constexpr std::string_view other_user = "name another one in users/assign and run qmail-newu. (#4.3.5)";

// As a uid or gid the kernel takes it for "no change".
constexpr auto no_id = static_cast<uid_t>(-1);

std::string refused(std::string_view as_whom, std::string_view remedy = other_user) {
    return fmt::format("Not allowed to perform deliveries {}: {}", as_whom, remedy);
}

}  // namespace

std::uint64_t minimum_uid(const control::Home& instance) {
    return control::read<"minimumuid">(instance);
}

std::optional<std::string> refusal_of_ids(const control::Owners& owners, const FoundIds& found,
                                          std::uint64_t minimum) {
    if (owners.single()) return std::nullopt;
    if (found.uid == 0 || found.uid == no_id) return refused("as root");
    if (found.gid == 0 || found.gid == no_id) return refused("with root's group, gid 0");
    const gid_t nofiles = owners.of(Role::alias).gid;
    for (const control::RoleRow& row : control::roles) {
        if (row.role == Role::alias) continue;
        const control::Owner own = owners.of(row.role);
        if (found.uid == own.uid)
            return refused(fmt::format("as a user of the mail system ({} of control/owners)", row.name));
        if (found.gid == own.gid && found.gid != nofiles)
            return refused(
                fmt::format("with a group of the mail system (gid {} of control/owners)", found.gid));
    }
    if (!found.assigned && found.uid < minimum && found.uid != owners.of(Role::alias).uid)
        return refused(
            fmt::format("as uid {}, which is below the {} of control/minimumuid", found.uid, minimum),
            "name the user in users/assign and run qmail-newu, or write a lower number there. (#4.3.5)");
    return std::nullopt;
}

DeliveryRefusals::DeliveryRefusals(const control::Home& home)
    : owners_(control::Owners::read(home)),
      database_(home.path("users/cdb"), [home] { return open_assigned(home); }),
      minimum_(home, [home] { return minimum_uid(home); }) {}

bool DeliveryRefusals::agrees(std::string_view local, const FoundIds& found) {
    if (owners_.single()) return true;
    const auto& database = database_.get();
    const auto user = database
                          ? find_assigned(local, [&](std::string_view key) { return database->find(key); })
                          : std::nullopt;
    if (!user) return !found.assigned;
    return found.assigned && user->uid == found.uid && user->gid == found.gid;
}

std::optional<std::string> DeliveryRefusals::of(std::string_view local, const FoundIds& found) {
    if (!agrees(local, found))
        return "users/cdb does not say of this address what the user look-up said: it has just been changed. "
               "(#4.3.0)";
    return refusal_of_ids(owners_, found, minimum_.get());
}

}  // namespace relais::local
