#include "base/held_directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>

#include <algorithm>
#include <memory>

#include "base/error.h"

namespace relais {
namespace {

// What changes on the way while the kernel looks is told as EAGAIN.
constexpr int tries = 100;

int open_beneath(int directory, const std::string& below, int flags, mode_t mode) {
    open_how how{};
    how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
    how.mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? mode : 0;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
    for (int left = tries;; --left) {
        const long fd = ::syscall(SYS_openat2, directory, below.c_str(), &how, sizeof how);
        if (fd >= 0 || left == 0 || (errno != EAGAIN && errno != EINTR)) return static_cast<int>(fd);
    }
}

struct Close {
    void operator()(DIR* directory) const { ::closedir(directory); }
};

}  // namespace

HeldDirectory::HeldDirectory(const std::string& path)
    : fd_(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)), path_(path) {
    if (!fd_) throw_errno("open", path);
}

Fd HeldDirectory::try_open(const std::string& below, int flags, mode_t mode) const {
    Fd fd(open_beneath(fd_.get(), below.empty() ? "." : below, flags, mode));
    if (!fd && errno == ENOSYS)
        throw Error(
            Reaction::temporary,
            "unable to open " + path_of(below) +
                " without following links: this kernel, or the filter of a container, has no openat2; Linux "
                "5.6 or newer is needed",
            ENOSYS);
    return fd;
}

Fd HeldDirectory::open(const std::string& below, int flags, mode_t mode) const {
    Fd fd = try_open(below, flags, mode);
    if (!fd) throw_errno("open", path_of(below));
    return fd;
}

Fd HeldDirectory::hold(const std::string& below) const {
    return try_open(below, O_PATH | O_NOFOLLOW);
}

HeldDirectory HeldDirectory::directory(const std::string& below) const {
    return {open(below, O_PATH | O_DIRECTORY), path_of(below)};
}

bool HeldDirectory::look(const std::string& below, struct stat& info) const {
    // One name alone leads nowhere else.
    if (below.find('/') == std::string::npos && !below.empty() && below != "..")
        return ::fstatat(fd_.get(), below.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0;
    const Fd held = hold(below);
    return held && ::fstat(held.get(), &info) == 0;
}

std::vector<std::string> HeldDirectory::names() const {
    Fd fd = open("", O_RDONLY | O_DIRECTORY);
    const std::unique_ptr<DIR, Close> directory(::fdopendir(fd.get()));
    if (!directory) throw_errno("read", path_);
    (void)fd.release();
    std::vector<std::string> all;
    for (;;) {
        errno = 0;
        const dirent* entry = ::readdir(directory.get());
        if (entry == nullptr && errno != 0) throw_errno("read", path_);
        if (entry == nullptr) break;
        const std::string name = entry->d_name;
        if (name != "." && name != "..") all.push_back(name);
    }
    std::sort(all.begin(), all.end());
    return all;
}

void HeldDirectory::make_directory(const std::string& below, mode_t mode) const {
    const std::size_t slash = below.rfind('/');
    const std::string name = below.substr(slash == std::string::npos ? 0 : slash + 1);
    const Fd parent = open(slash == std::string::npos ? "" : below.substr(0, slash), O_PATH | O_DIRECTORY);
    if (::mkdirat(parent.get(), name.c_str(), mode) != 0 && errno != EEXIST)
        throw_errno("make the directory", path_of(below));
}

}  // namespace relais
