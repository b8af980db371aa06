#include "local/mbox.h"

#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/deadline.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/sys.h"
#include "local/write.h"

namespace relais::local {
namespace {

constexpr Seconds lock_patience{30};
constexpr std::string_view from = "From ";

[[noreturn]] void fail(const std::string& verb, const std::string& path, int error_number, const char* code) {
    throw Error(Reaction::temporary,
                "Unable to " + verb + " " + path + ": " + errno_text(error_number) + ". " + code,
                error_number);
}

struct OpenedMbox {
    Fd file;
    bool created = false;
};

OpenedMbox open_mbox(const std::string& path) {
    constexpr int flags = O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    for (int attempt = 0; attempt < 10; ++attempt) {
        Fd file(sys::open(path.c_str(), flags, 0));
        if (file) return {std::move(file), false};
        if (errno != ENOENT) break;
        file = Fd(sys::open(path.c_str(), flags | O_CREAT | O_EXCL, 0600));
        if (file) return {std::move(file), true};
        if (errno != EEXIST) break;
    }
    fail("open", path, errno, "(#4.2.1)");
}

// The two kinds of lock do not see each other, and readers of mail use one or the other.
bool try_locks(int fd) {
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) return errno != EWOULDBLOCK && errno != EINTR;
    struct flock range {};
    range.l_type = F_WRLCK;
    range.l_whence = SEEK_SET;
    if (::fcntl(fd, F_OFD_SETLK, &range) == 0) return true;
    if (errno != EAGAIN && errno != EACCES && errno != EINTR) return true;
    ::flock(fd, LOCK_UN);
    return false;
}

void lock(int fd) {
    const Deadline deadline = Deadline::in(lock_patience);
    int pause = 1;
    while (!try_locks(fd)) {
        if (deadline.passed())
            throw Error(Reaction::temporary, "File has been locked for 30 seconds straight. (#4.3.0)");
        ::poll(nullptr, 0, pause);
        pause = std::min(pause * 2, 100);
    }
}

// A name that was just made lasts only when its directory is synced too.
bool sync_parent(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    const std::string parent = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
    const Fd directory(sys::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0));
    return directory && sys::fsync(directory.get()) == 0;
}

bool append(int fd, std::string_view from_line, std::string_view head, const Message& message) {
    std::string buffer(from_line);
    buffer += head;
    FromQuoter quoter;
    bool good = true;
    message.each_piece([&](std::string_view piece) {
        quoter.feed(piece, buffer);
        good = good && write_fully(fd, buffer);
        buffer.clear();
    });
    quoter.finish(buffer);
    buffer += '\n';
    return good && write_fully(fd, buffer);
}

}  // namespace

// Decides about the line that start_ and piece begin, if that is enough to tell; true: what is left of piece
// goes on within the line.
bool FromQuoter::begins_line(std::string_view piece, std::string& out) {
    const std::size_t before = start_.size();
    start_.append(piece.substr(0, 4096));
    const std::size_t quotes = std::min(start_.find_first_not_of('>'), start_.size());
    const std::string_view rest = std::string_view(start_).substr(quotes);
    const bool undecided =
        rest.size() < from.size() && from.starts_with(rest) && start_.size() - before == piece.size();
    if (undecided) return false;
    if (rest.starts_with(from)) out += '>';
    out.append(start_, 0, before);
    start_.clear();
    at_start_ = false;
    return true;
}

void FromQuoter::feed(std::string_view piece, std::string& out) {
    while (!piece.empty()) {
        if (at_start_ && !begins_line(piece, out)) return;
        const std::size_t end = piece.find('\n');
        if (end == std::string_view::npos) {
            out += piece;
            return;
        }
        out += piece.substr(0, end + 1);
        piece.remove_prefix(end + 1);
        at_start_ = true;
    }
}

void FromQuoter::finish(std::string& out) {
    out += start_;
    if (!at_start_ || !start_.empty()) out += '\n';
    start_.clear();
    at_start_ = true;
}

void deliver_to_mbox(const std::string& path, std::string_view from_line, std::string_view head,
                     const Message& message) {
    const OpenedMbox mbox = open_mbox(path);
    const int fd = mbox.file.get();
    struct stat status {};
    if (sys::fstat(fd, &status) != 0) fail("open", path, errno, "(#4.2.1)");
    const bool regular = S_ISREG(status.st_mode);
    if (regular) lock(fd);
    if (regular && sys::fstat(fd, &status) != 0) fail("open", path, errno, "(#4.2.1)");
    try {
        if (!append(fd, from_line, head, message)) fail("write", path, errno, "(#4.3.0)");
        // A device or a pipe has nothing to sync.
        if (regular && sys::fsync(fd) != 0) fail("write", path, errno, "(#4.3.0)");
        if (mbox.created && !sync_parent(path)) fail("write", path, errno, "(#4.3.0)");
    } catch (...) {
        if (regular && sys::ftruncate(fd, status.st_size) == 0) sys::fsync(fd);
        throw;
    }
}

}  // namespace relais::local
