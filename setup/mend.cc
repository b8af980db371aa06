#include "setup/mend.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

namespace relais::setup {

bool is_type(const struct stat& info, Type type) {
    switch (type) {
        case Type::directory:
            return S_ISDIR(info.st_mode);
        case Type::socket:
            return S_ISSOCK(info.st_mode);
        default:
            return S_ISREG(info.st_mode);
    }
}

std::string refusal(const Tree& tree, const struct stat& info, const Wanted& wanted) {
    if (!is_type(info, wanted.type)) return " and is something else than it must be";
    if (wanted.type != Type::directory && info.st_nlink > 1)
        return ", and it has a second name: remove it if you do not know what that is";
    if (!tree.is_ours(info.st_uid))
        return ", and that is nobody of this instance: look at it, then chown it to root or remove it";
    return "";
}

std::function<void()> remedy(const std::shared_ptr<const Tree>& tree, const std::string& path,
                             const struct stat& info, const Wanted& wanted) {
    if (!refusal(*tree, info, wanted).empty()) return nullptr;
    return [tree, path, wanted] { set_owner_and_mode(*tree, path, wanted); };
}

// Held, not opened: its owner may have closed it to himself, and a socket cannot be opened.
void set_owner_and_mode(const Tree& tree, const std::string& path, const Wanted& wanted) {
    const std::string full = tree.path_of(path);
    const Fd held = tree.hold(path);
    if (!held) throw_errno("open", full);
    struct stat info {};
    if (::fstat(held.get(), &info) != 0) throw_errno("look at", full);
    const std::string why = refusal(tree, info, wanted);
    if (!why.empty()) throw_permanent("unable to mend " + full + why);
    set_owner_and_mode(held.get(), full, wanted.owner, wanted.mode);
}

// Owner first: chown clears the setgid bit.
void set_owner_and_mode(int held, const std::string& path, control::Owner owner, mode_t mode) {
    if (::geteuid() == 0 && ::fchownat(held, "", owner.uid, owner.gid, AT_EMPTY_PATH) != 0)
        throw_errno("set the owner of", path);
    if (::chmod(("/proc/self/fd/" + std::to_string(held)).c_str(), mode) != 0)
        throw_errno("set the mode of", path);
}

std::string owner_text(control::Owner owner) {
    const struct passwd* entry = ::getpwuid(owner.uid);
    return fmt::format("{}:{}", entry != nullptr ? entry->pw_name : std::to_string(owner.uid), owner.gid);
}

}  // namespace relais::setup
