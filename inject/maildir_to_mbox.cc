#include "inject/maildir_to_mbox.h"

#include <dirent.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <memory>
#include <tuple>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/io.h"
#include "base/path.h"
#include "base/program.h"
#include "base/sys.h"
#include "inject/mbox.h"
#include "mail/mbox.h"

namespace relais::inject {
namespace {

struct StoredFile {
    std::string path;
    std::int64_t time;
    friend bool operator<(const StoredFile& a, const StoredFile& b) {
        return std::tie(a.time, a.path) < std::tie(b.time, b.path);
    }
};

void list_directory(const std::string& directory, std::vector<StoredFile>& files) {
    const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(directory.c_str()), ::closedir);
    if (!open) throw_errno("scan", directory);
    while (const dirent* entry = ::readdir(open.get())) {
        if (entry->d_name[0] == '.') continue;
        const std::string path = directory + "/" + entry->d_name;
        struct stat status {};
        // A message that a reader moves meanwhile stays for the next time.
        if (::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode))
            files.push_back({path, status.st_mtime});
    }
}

Fd open_or_throw(const std::string& path, int flags) {
    Fd fd(sys::open(path.c_str(), flags | O_CLOEXEC, 0600));
    if (!fd) throw_errno("open", path);
    return fd;
}

// Files of a Maildir in the order in which they came.
std::vector<StoredFile> list_maildir(const std::string& maildir) {
    std::vector<StoredFile> files;
    for (const char* part : {"/new", "/cur"}) list_directory(maildir + part, files);
    std::sort(files.begin(), files.end());
    return files;
}

// Whoever had the lock before may have put another file in this one's place, with messages that this one has
// not.
Fd open_and_lock(const std::string& mbox) {
    for (;;) {
        Fd fd = open_or_throw(mbox, O_RDWR | O_CREAT);
        if (::flock(fd.get(), LOCK_EX) < 0 && errno != EINTR) throw_errno("lock", mbox);
        if (is_named(fd.get(), mbox)) return fd;
    }
}

// With an empty line at its end, if it has anything.
void append_copy(int from, int to, std::vector<char>& buffer) {
    std::string end;
    while (const std::size_t count = read_some(from, buffer, Deadline::never())) {
        const std::string_view data(buffer.data(), count);
        write_all(to, data, Deadline::never());
        end += data.substr(count - std::min<std::size_t>(count, 2));
        end.erase(0, end.size() - std::min<std::size_t>(end.size(), 2));
    }
    write_all(to, mail::mbox_gap(end), Deadline::never());
}

// True unless the message is gone.
bool append_message(const StoredFile& file, int to, std::vector<char>& buffer) {
    const Fd from(sys::open(file.path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!from && errno == ENOENT) return false;
    if (!from) throw_errno("read", file.path);
    MboxQuoter quoter;
    bool first = true;
    while (const std::size_t count = read_some(from.get(), buffer, Deadline::never())) {
        const std::string_view data(buffer.data(), count);
        if (first) write_all(to, from_line(data.substr(0, data.find('\n')), file.time), Deadline::never());
        first = false;
        write_all(to, quoter.add(data), Deadline::never());
    }
    if (first) write_all(to, from_line("", file.time), Deadline::never());
    write_all(to, quoter.finish(), Deadline::never());
    return true;
}

}  // namespace

void move_maildir_to_mbox(const std::string& maildir, const std::string& mbox, const std::string& temporary) {
    if (list_maildir(maildir).empty()) return;

    const Fd old = open_and_lock(mbox);
    // Only now: another maildir2mbox may have moved some while the lock was waited for.
    std::vector<StoredFile> files = list_maildir(maildir);
    const Fd fresh = open_or_throw(temporary, O_WRONLY | O_CREAT | O_TRUNC);
    // Until the Maildir is empty nobody appends to the new one, and no other maildir2mbox moves the same
    // messages.
    if (::flock(fresh.get(), LOCK_EX) < 0) throw_errno("lock", temporary);
    std::vector<char> buffer(io_buffer_size);
    append_copy(old.get(), fresh.get(), buffer);
    std::erase_if(files, [&](const StoredFile& file) { return !append_message(file, fresh.get(), buffer); });
    if (sys::fsync(fresh.get()) < 0) throw_errno("sync", temporary);
    if (sys::rename(temporary.c_str(), mbox.c_str()) < 0) throw_errno("move to " + mbox, temporary);
    sync_directory(directory_of(mbox));
    for (const StoredFile& file : files)
        if (sys::unlink(file.path.c_str()) < 0)
            log_line("warning: " + file.path +
                     " will be delivered twice; unable to unlink: " + errno_text(errno));
}

}  // namespace relais::inject
