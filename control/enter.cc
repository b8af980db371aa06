#include "control/enter.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <climits>

#include "base/error.h"
#include "base/held_directory.h"
#include "base/privilege.h"

namespace relais::control {
namespace {

// Who has no entry among the system's users, and a directory of root's group.
constexpr gid_t nogroup = 65534;

// The path of what is held, without links.
std::string path_of(int held) {
    char path[PATH_MAX];
    const ssize_t size = ::readlink(("/proc/self/fd/" + std::to_string(held)).c_str(), path, sizeof path);
    if (size <= 0 || size == static_cast<ssize_t>(sizeof path) || path[0] != '/')
        throw_errno("find the path of", "the instance", size < 0 ? errno : ENAMETOOLONG);
    return {path, static_cast<std::size_t>(size)};
}

struct stat status_of(int held, const std::string& path) {
    struct stat info {};
    if (::fstat(held, &info) != 0) throw_errno("look at", path);
    return info;
}

// What root believes must be root's, and so must a link to it. What is missing is for others to miss.
void refuse_foreign_file(const HeldDirectory& directory, const std::string& name) {
    struct stat info {};
    bool found = directory.look(name, info);
    if (found && info.st_uid == 0 && S_ISLNK(info.st_mode))
        found = ::fstatat(directory.fd(), name.c_str(), &info, 0) == 0;
    if (!found || info.st_uid == 0) return;
    const std::string path = directory.path_of(name);
    throw_permanent(fmt::format(
        "{} belongs to uid {}, not to root, who would do what it says: look at it, then chown root {}", path,
        info.st_uid, path));
}

}  // namespace

std::string foreign_parent(const std::string& path) {
    for (std::size_t end = 0; end != std::string::npos; end = path.find('/', end + 1)) {
        const std::string parent = end == 0 ? "/" : path.substr(0, end);
        struct stat info {};
        if (::lstat(parent.c_str(), &info) != 0) throw_errno("look at", parent);
        if (info.st_uid != 0)
            return fmt::format("{} belongs to uid {}, who could put something else in the place of {}",
                               parent, info.st_uid, path);
        if ((info.st_mode & S_IWOTH) != 0 && (info.st_mode & S_ISVTX) == 0)
            return fmt::format("everybody can write into {}, and put something else in the place of {}",
                               parent, path);
    }
    return "";
}

Home refuse_foreign(const Home& home) {
    const HeldDirectory given(home.directory());
    Home found(path_of(given.fd()));
    const HeldDirectory directory(found.directory());
    const std::string trouble = foreign_parent(directory.path());
    if (!trouble.empty())
        throw_permanent(trouble +
                        ": an instance of several users must be root's with all directories above it");
    const struct stat info = status_of(directory.fd(), directory.path());
    if (info.st_uid != 0)
        throw_permanent(
            fmt::format("{} belongs to uid {}, not to root: look at what is in it, then chown root {}",
                        directory.path(), info.st_uid, directory.path()));
    refuse_foreign_file(directory, "control");
    struct stat control {};
    if (::fstatat(directory.fd(), "control", &control, 0) == 0 && S_ISDIR(control.st_mode))
        refuse_foreign_file(HeldDirectory(directory.path_of("control")), "owners");
    return found;
}

Home enter(const Home& home, GroupOfUser group) {
    if (::geteuid() != 0) return home;
    const Fd held(::open(home.directory().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!held) return home;
    Home found(path_of(held.get()));
    const struct stat info = status_of(held.get(), found.directory());
    if (info.st_uid == 0) return refuse_foreign(found);
    const gid_t known = info.st_gid != 0 ? info.st_gid : nogroup;
    drop_privilege(info.st_uid, group != nullptr ? group(info.st_uid, known) : known);
    return found;
}

}  // namespace relais::control
