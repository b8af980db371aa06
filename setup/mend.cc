#include "setup/mend.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

namespace relais::setup {
namespace {

// Never follows a link that somebody else may have put there, and leaves files with a second name alone. Held, not opened:
// its owner may have closed it to himself.
Fd hold_own(const std::string& path, bool directory) {
    Fd fd(::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC | (directory ? O_DIRECTORY : 0)));
    if (!fd) throw_errno("open", path);
    struct stat info {};
    if (::fstat(fd.get(), &info) != 0) throw_errno("look at", path);
    if (!directory && (!S_ISREG(info.st_mode) || info.st_nlink > 1))
        throw_permanent("unable to mend " + path + ": it is not a file of one name");
    return fd;
}

}  // namespace

void set_owner_and_mode(const std::string& path, bool directory, control::Owner owner, mode_t mode) {
    set_owner_and_mode(hold_own(path, directory).get(), path, owner, mode);
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
