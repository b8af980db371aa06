#include "auth/users_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "base/error.h"
#include "base/held_directory.h"

namespace relais::auth {
namespace {

constexpr std::chrono::milliseconds pause{50};

}  // namespace

Fd lock_users(const control::Home& home, Deadline patience) {
    const std::string path = home.path("users");
    Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) throw_errno("open", path);
    while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) throw_errno("lock", path);
        if (patience.passed())
            throw Error(Reaction::temporary, "unable to lock " + path + ": another program holds it (fuser " +
                                                 path + " names it)");
        std::this_thread::sleep_for(pause);
    }
    return fd;
}

std::optional<Fd> lock_run(const control::Home& home, const std::string& name) {
    const HeldDirectory users(home.path("users"));
    Fd lock = users.open(name, O_RDWR | O_CREAT | O_NONBLOCK, 0600);
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) == 0) return lock;
    if (errno != EWOULDBLOCK) throw_errno("lock", users.path_of(name));
    return std::nullopt;
}

void give_to_owner_of_users(const control::Home& home, int fd) {
    struct stat users {};
    if (::geteuid() != 0) return;
    const std::string path = home.path("users");
    if (::stat(path.c_str(), &users) != 0) throw_errno("look at", path);
    if (::fchown(fd, users.st_uid, users.st_gid) != 0) throw_errno("set the owner of a file in", path);
}

}  // namespace relais::auth
