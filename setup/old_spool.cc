#include "setup/old_spool.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cctype>
#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/io.h"
#include "setup/old_formats.h"
#include "setup/tree.h"

namespace relais::setup {
namespace {

constexpr std::uint64_t microseconds = 1'000'000;

std::string file_kind(const struct stat& status) {
    if (S_ISDIR(status.st_mode)) return "it is a directory";
    if (S_ISFIFO(status.st_mode)) return "it is a pipe";
    return S_ISREG(status.st_mode) ? "" : "it is no regular file";
}

std::string why_not_opened() {
    return errno == ELOOP || errno == EXDEV ? "it is a link" : std::strerror(errno);
}

bool is_split(const std::string& name) {
    return name.size() == 1 && std::isalnum(static_cast<unsigned char>(name.front())) != 0;
}

}  // namespace

bool lock_alone(const Fd& lock, const std::string& path) {
    struct flock range {};
    range.l_type = F_WRLCK;
    const bool flocked = ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0;
    if (flocked && errno != EWOULDBLOCK) throw_errno("lock", path);
    return !flocked && (::fcntl(lock.get(), F_GETLK, &range) != 0 || range.l_type == F_UNLCK);
}

std::uint64_t change_time(const struct stat& status) {
    if (status.st_mtim.tv_sec <= 0) return 0;
    return static_cast<std::uint64_t>(status.st_mtim.tv_sec) * microseconds +
           static_cast<std::uint64_t>(status.st_mtim.tv_nsec) / 1000;
}

Fd Spool::open_file(const std::string& path, struct stat& status) const {
    Fd fd = directory_.try_open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
    if (!fd) {
        fault(path, why_not_opened());
        return fd;
    }
    if (::fstat(fd.get(), &status) != 0) throw_errno("look at", directory_.path_of(path));
    struct stat its_directory {};
    const std::string parent = parent_of(path);
    if (!(parent.empty() ? ::fstat(directory_.fd(), &its_directory) == 0
                         : directory_.look(parent, its_directory)))
        throw_errno("look at", directory_.path_of(parent));
    const std::string kind = file_kind(status);
    if (kind.empty() && !is_borrowed(status, its_directory)) return fd;
    fault(path, kind.empty() ? std::string(borrowed) : kind);
    return {};
}

std::optional<Spool::Content> Spool::content(const std::string& path, std::size_t limit) const {
    Content content{};
    const Fd fd = open_file(path, content.status);
    if (!fd) return std::nullopt;
    if (static_cast<std::uint64_t>(content.status.st_size) > limit) {
        fault(path, "it is larger than such a file can be");
        return std::nullopt;
    }
    try {
        content.text = read_to_end(fd.get(), limit, Deadline::never());
        return content;
    } catch (const Error& error) {
        fault(path, error.what());
        return std::nullopt;
    }
}

void Spool::walk(const std::string& path, unsigned depth, const Visit& visit) const {
    const HeldDirectory directory = directory_.directory(path);
    struct stat status {};
    for (const std::string& name : directory.names()) {
        const std::string below = path + "/" + name;
        if (!directory.look(name, status)) continue;
        if (S_ISLNK(status.st_mode))
            fault(below, "it is a link");
        else if (!S_ISDIR(status.st_mode))
            visit(name, below);
        else if (depth != 0 && is_split(name))
            walk(below, depth - 1, visit);
        else
            fault(below, "a directory that is no split");
    }
}

}  // namespace relais::setup
