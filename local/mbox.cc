#include "local/mbox.h"

#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "base/classic_errno.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/sys.h"
#include "local/write.h"
#include "mail/mbox.h"

namespace relais::local {
namespace {

constexpr Seconds lock_patience{30};
constexpr std::string_view from = "From ";

[[noreturn]] void fail(const std::string& verb, const std::string& path, int error_number, const char* code) {
    throw Error(Reaction::temporary,
                "Unable to " + verb + " " + path + ": " + classic_errno_text(error_number) + ". " + code,
                error_number);
}

struct OpenedMbox {
    Fd file;
    bool created = false;
    bool regular = false;  // what follows is for regular files alone
    bool locked = false;   // false where the file system knows no locks
    off_t size = 0;        // under the lock
};

OpenedMbox open_mbox(const std::string& path) {
    constexpr int flags = O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    for (int attempt = 0; attempt < 10; ++attempt) {
        Fd file(sys::open(path.c_str(), flags, 0));
        if (file) return {std::move(file)};
        if (errno != ENOENT) break;
        file = Fd(sys::open(path.c_str(), flags | O_CREAT | O_EXCL, 0600));
        if (file) return {std::move(file), true};
        if (errno != EEXIST) break;
    }
    fail("open", path, errno, "(#4.2.1)");
}

struct stat status_of(int fd, const std::string& path) {
    struct stat status {};
    if (sys::fstat(fd, &status) != 0) fail("open", path, errno, "(#4.2.1)");
    return status;
}

enum class Lock { taken, busy, unknown };

// The two kinds of lock do not see each other, and readers of mail use one or the other.
Lock try_locks(int fd) {
    const bool first = sys::flock(fd, LOCK_EX | LOCK_NB) == 0;
    if (!first && (errno == EWOULDBLOCK || errno == EINTR)) return Lock::busy;
    if (sys::lock_range(fd) == 0) return Lock::taken;
    if (errno != EAGAIN && errno != EACCES && errno != EINTR) return first ? Lock::taken : Lock::unknown;
    sys::flock(fd, LOCK_UN);
    return Lock::busy;
}

// False where the file system knows no locks.
bool lock(int fd, const Deadline& deadline) {
    int pause = 1;
    for (;;) {
        const Lock state = try_locks(fd);
        if (state != Lock::busy) return state == Lock::taken;
        if (deadline.passed())
            throw Error(Reaction::temporary, "File has been locked for 30 seconds straight. (#4.3.0)");
        ::poll(nullptr, 0, pause);
        pause = std::min(pause * 2, 100);
    }
}

// Whoever held the lock may have put another file in this one's place, and mail in this one would be seen by
// nobody.
OpenedMbox open_and_lock(const std::string& path, const Deadline& deadline) {
    for (;;) {
        OpenedMbox mbox = open_mbox(path);
        const int fd = mbox.file.get();
        mbox.regular = S_ISREG(status_of(fd, path).st_mode);
        if (!mbox.regular) return mbox;
        mbox.locked = lock(fd, deadline);
        mbox.size = status_of(fd, path).st_size;
        if (is_named(fd, path)) return mbox;
        if (deadline.passed()) fail("open", path, ESTALE, "(#4.2.1)");
    }
}

// A name lasts only when its directory is synced too, and whoever made or replaced the file may have died
// before that. True also for a directory that this user may not read, if somebody else has made the file.
bool sync_parent(const std::string& path, bool created) {
    const std::unique_ptr<char, decltype(&::free)> real(::realpath(path.c_str(), nullptr), &::free);
    const std::string file = real ? real.get() : path;
    const std::size_t slash = file.rfind('/');
    const std::string parent = slash == std::string::npos ? "." : slash == 0 ? "/" : file.substr(0, slash);
    const Fd directory(sys::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0));
    if (!directory) return errno == EACCES && !created;
    return sys::fsync(directory.get()) == 0;
}

// What a delivery that was torn (killed, or by a power cut) may have left must not swallow the From_ line. Of
// a file that its owner may not read nothing is known: an empty line too many does no harm.
std::string_view gap_before(const OpenedMbox& mbox, const std::string& path) {
    if (!mbox.regular || mbox.size == 0) return "";
    const Fd reader(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    char end[2];
    const std::size_t size = std::min<std::size_t>(static_cast<std::size_t>(mbox.size), sizeof end);
    const auto at = mbox.size - static_cast<off_t>(size);
    if (!reader || ::pread(reader.get(), end, size, at) != static_cast<ssize_t>(size)) return "\n";
    return mail::mbox_gap({end, size});
}

bool append(int fd, std::string start, const Message& message) {
    std::string buffer = std::move(start);
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

namespace {

void append_durably(const OpenedMbox& mbox, const std::string& path, std::string start,
                    const Message& message) {
    const int fd = mbox.file.get();
    try {
        if (!append(fd, std::move(start), message)) fail("write", path, errno, "(#4.3.0)");
        // A device or a pipe has nothing to sync.
        if (!mbox.regular) return;
        if (sys::fsync(fd) != 0 || !sync_parent(path, mbox.created)) fail("write", path, errno, "(#4.3.0)");
    } catch (...) {
        // Without a lock that would take away what another delivery has appended and reported meanwhile.
        if (mbox.locked && sys::ftruncate(fd, mbox.size) == 0) sys::fsync(fd);
        throw;
    }
}

}  // namespace

void deliver_to_mbox(const std::string& path, std::string_view from_line, std::string_view head,
                     const Message& message) {
    const Deadline deadline = Deadline::in(lock_patience);
    for (;;) {
        const OpenedMbox mbox = open_and_lock(path, deadline);
        std::string start(gap_before(mbox, path));
        start.append(from_line).append(head);
        append_durably(mbox, path, std::move(start), message);
        // Somebody who asked for no lock may have removed or replaced it meanwhile; under another name it
        // would be found.
        struct stat status {};
        const bool removed = sys::fstat(mbox.file.get(), &status) == 0 && status.st_nlink == 0;
        if (!mbox.regular || !removed) return;
        if (deadline.passed()) fail("write", path, ESTALE, "(#4.3.0)");
    }
}

}  // namespace relais::local
