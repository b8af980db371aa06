#include "local/user_database.h"

#include <pwd.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/error.h"
#include "base/text.h"

namespace relais::local {
namespace {

constexpr std::size_t user_name_limit = 31;
constexpr char extension_break = '-';

User decoded(std::string_view data, std::string_view rest) {
    auto user = decode_user(data, rest);
    if (!user) throw Error(Reaction::temporary, "a record of users/cdb is not as qmail-newu writes it");
    return *std::move(user);
}

// What getpwnam or stat may answer for the moment, as against "there is none".
bool is_passing(int error_number) {
    static constexpr std::array passing{EINTR,   EAGAIN, ENOMEM,    ETXTBSY,      EIO,    EMFILE,  ENFILE,
                                        ENOBUFS, EBUSY,  ETIMEDOUT, ECONNREFUSED, ESTALE, EDEADLK, EHOSTDOWN};
    return std::find(passing.begin(), passing.end(), error_number) != passing.end();
}

bool owns_home(const SystemUser& user) {
    struct stat status {};
    if (::stat(user.home.c_str(), &status) == 0) return status.st_uid == user.uid;
    if (is_passing(errno)) throw_errno("examine", user.home);
    return false;
}

}  // namespace

std::optional<User> find_assigned(std::string_view local, const FindRecord& find) {
    const std::string key = "!" + lower(local);
    if (const auto data = find(key + '\0')) return decoded(*data, "");
    const std::string ends(find("").value_or(""));
    for (std::size_t length = key.size(); length >= 1; --length) {
        if (length > 1 && ends.find(key[length - 1]) == std::string::npos) continue;
        if (const auto data = find(std::string_view(key).substr(0, length)))
            return decoded(*data, local.substr(length - 1));
    }
    return std::nullopt;
}

std::optional<CdbReader> open_assigned(const control::Home& home) {
    try {
        return CdbReader(home.path("users/cdb"));
    } catch (const Error& error) {
        if (error.number() == ENOENT) return std::nullopt;
        throw;
    }
}

std::optional<SystemUser> system_user(const std::string& name) {
    std::vector<char> buffer(4096);
    for (;;) {
        passwd entry{};
        passwd* found = nullptr;
        const int result = ::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
        if (result == ERANGE && buffer.size() < std::size_t{1} << 20) {
            buffer.resize(buffer.size() * 2);
            continue;
        }
        if (found != nullptr) return SystemUser{entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir};
        if (is_passing(result)) throw_errno("look up user", name, result);
        return std::nullopt;
    }
}

std::optional<User> find_system_user(std::string_view local, const FindSystemUser& find) {
    for (std::size_t length = local.size(); length > 0; --length) {
        const bool whole = length == local.size();
        if (length > user_name_limit || (!whole && local[length] != extension_break)) continue;
        if (local.substr(0, length).find('\0') != std::string_view::npos) continue;
        const auto found = find(lower(local.substr(0, length)));
        if (!found || found->uid == 0 || found->home.empty() || found->home.front() != '/' ||
            !owns_home(*found))
            continue;
        User user{found->name, found->uid, found->gid, found->home, whole ? "" : "-", ""};
        if (!whole) user.extension = local.substr(length + 1);
        return user;
    }
    return std::nullopt;
}

UserFinder::UserFinder(control::Home home)
    : home_(std::move(home)),
      owners_(control::Owners::read(home_)),
      database_(home_.path("users/cdb"), [home = home_] { return open_assigned(home); }) {}

User UserFinder::find(std::string_view local, FoundBy* by) {
    if (const auto& database = database_.get()) {
        auto user = find_assigned(local, [&](std::string_view key) {
            const auto data = database->find(key);
            if (data && by != nullptr) *by = {FoundBy::Step::assign, std::string(key)};
            return data;
        });
        if (user) return *std::move(user);
    }
    return find_without_assign(local, by);
}

User UserFinder::find_without_assign(std::string_view local, FoundBy* by) const {
    const control::Owner alias = owners_.of(control::Role::alias);
    // An instance of one ordinary user delivers as that user only, so the homes of others are out of its
    // reach.
    const auto user = find_system_user(local, [&](const std::string& name) {
        auto found = system_user(name);
        if (found && owners_.single() && found->uid != alias.uid) found.reset();
        // The system knows one user of that name, with the home of the first instance; each has its own.
        if (found && !owners_.single() && name == "alias")
            found = SystemUser{name, alias.uid, alias.gid, home_.path("alias")};
        return found;
    });
    if (by != nullptr) *by = {user ? FoundBy::Step::system : FoundBy::Step::alias, ""};
    if (user) return *user;
    return {"alias", alias.uid, alias.gid, home_.path("alias"), "-", std::string(local)};
}

}  // namespace relais::local
