#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/sys.h"

namespace relais {

std::optional<std::string> read_file(const std::string& path, std::size_t limit) {
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    if (!fd) {
        if (errno == ENOENT) return std::nullopt;
        throw_errno("open", path);
    }
    // A pipe that nobody writes to reads as an empty file: what it should have said would be lost silently.
    struct stat file {};
    if (::fstat(fd.get(), &file) == 0 && S_ISFIFO(file.st_mode) && !path.starts_with("/dev/") &&
        !path.starts_with("/proc/"))
        throw_permanent("unable to read " + path + ": it is a named pipe; put a file in its place");
    try {
        return read_to_end(fd.get(), limit, Deadline::never());
    } catch (const Error& error) {
        throw_errno("read", path, error.number());
    }
}

void replace_file(const std::string& path, std::string_view content, mode_t mode,
                  const std::function<void(int fd)>& prepare) {
    const std::string beside = path + ".new." + std::to_string(::getpid());
    try {
        // Never through what somebody else has put there.
        const auto create = [&] {
            return Fd(sys::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
        };
        Fd fd = create();
        if (!fd && errno == EEXIST && sys::unlink(beside.c_str()) == 0) fd = create();
        if (!fd) throw_errno("create", beside);
        while (!content.empty()) {
            const ssize_t count = sys::write(fd.get(), content.data(), content.size());
            if (count < 0 && errno == EINTR) continue;
            if (count < 0) throw_errno("write", beside);
            content.remove_prefix(static_cast<std::size_t>(count));
        }
        if (sys::fchmod(fd.get(), mode) != 0) throw_errno("set the mode of", beside);
        if (prepare) prepare(fd.get());
        if (sys::fsync(fd.get()) != 0) throw_errno("sync", beside);
        if (sys::rename(beside.c_str(), path.c_str()) != 0) throw_errno("rename to", path);
    } catch (...) {
        sys::unlink(beside.c_str());
        throw;
    }
    const std::size_t slash = path.rfind('/');
    sync_directory(slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash));
}

bool is_named(int fd, const std::string& path) {
    struct stat ours {};
    struct stat named {};
    return ::fstat(fd, &ours) == 0 && ::stat(path.c_str(), &named) == 0 && named.st_ino == ours.st_ino &&
           named.st_dev == ours.st_dev;
}

void sync_directory(const std::string& path) {
    const Fd fd(sys::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) throw_errno("open", path);
    if (sys::fsync(fd.get()) != 0) throw_errno("sync", path);
}

}  // namespace relais
