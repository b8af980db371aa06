#include "auth/users_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "base/error.h"

namespace relais::auth {
namespace {

constexpr std::chrono::milliseconds pause{50};

// Of mode 0600: a lock on what everybody can open is anybody's. What stands there already keeps its owner,
// for the directory's owner may have linked something of root's to that name.
Fd open_lock(const control::Home& home, const std::string& path) {
    constexpr int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    for (;;) {
        Fd fd(::open(path.c_str(), flags));
        if (fd) return fd;
        if (errno != ENOENT) throw_errno("open", path);
        fd = Fd(::open(path.c_str(), flags | O_CREAT | O_EXCL, 0600));
        if (fd) {
            give_to_owner_of_users(home, fd.get());
            return fd;
        }
        if (errno != EEXIST) throw_errno("create", path);
    }
}

}  // namespace

Fd lock_users(const control::Home& home, Deadline patience) {
    const std::string path = home.path("users/.lock");
    Fd fd = open_lock(home, path);
    while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) throw_errno("lock", path);
        if (patience.passed())
            throw Error(Reaction::temporary, "unable to lock " + path + ": another program holds it (fuser " +
                                                 path + " names it)");
        std::this_thread::sleep_for(pause);
    }
    return fd;
}

void give_to_owner_of_users(const control::Home& home, int fd) {
    struct stat users {};
    if (::geteuid() != 0) return;
    const std::string path = home.path("users");
    if (::stat(path.c_str(), &users) != 0) throw_errno("look at", path);
    if (::fchown(fd, users.st_uid, users.st_gid) != 0) throw_errno("set the owner of a file in", path);
}

}  // namespace relais::auth
