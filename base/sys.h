// The system calls that make mail durable, gathered in one place so that a test can put a recording or
// failing version of this header earlier on the include path (tests/seam/base/sys.h). Code that writes the
// queue, marks messages or fills a Maildir calls these and nothing else for it.
#pragma once

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <span>

namespace relais::sys {
using ::close;
using ::fchmod;
using ::fchown;
using ::flock;
using ::fstat;
using ::fsync;
using ::ftruncate;
using ::link;
using ::mkdir;
using ::open;
using ::openat;
using ::pwrite;
using ::rename;
using ::syncfs;
using ::unlink;
using ::unlinkat;
using ::write;
using ::writev;

// fcntl's exclusive lock of the whole file, the descriptor's own, without waiting.
inline int lock_range(int fd) {
    struct flock range {};
    range.l_type = F_WRLCK;
    range.l_whence = SEEK_SET;
    return ::fcntl(fd, F_OFD_SETLK, &range);
}
// rename(2) that never replaces a file. Where the file system does not know that, by a second name.
inline int rename_new(const char* from, const char* to) {
    if (::renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) return 0;
    if (errno != EINVAL && errno != ENOSYS) return -1;
    return ::link(from, to) == 0 ? ::unlink(from) : -1;
}
// A file in that directory that has no name yet: until link_unnamed gives it one it is gone when it is
// closed. -1 where the kernel or the file system has none.
inline int open_unnamed(const char* directory, mode_t mode) {
    return ::open(directory, O_TMPFILE | O_WRONLY | O_CLOEXEC, mode);
}
// Never replaces a file. By the descriptor itself, or where an older kernel reserves that to root, through
// /proc.
inline int link_unnamed(int fd, const char* to) {
    if (::linkat(fd, "", AT_FDCWD, to, AT_EMPTY_PATH) == 0) return 0;
    if (errno != ENOENT && errno != EPERM) return -1;
    char path[32];
    std::snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return ::linkat(AT_FDCWD, path, AT_FDCWD, to, AT_SYMLINK_FOLLOW);
}
// Begins to write a range of a file's data to the disk (size 0: to its end); write_back waits for all of it,
// too. Durable they are only after a sync. An error that is told here is perhaps told nowhere else, so it
// counts as that of a failed sync.
inline int write_back_range(int fd, off64_t offset, off64_t size, unsigned flags) {
    if (::sync_file_range(fd, offset, size, flags) == 0) return 0;
    return errno == ENOSYS || errno == EINVAL || errno == ESPIPE ? 0 : -1;
}
inline int begin_write_back(int fd, off64_t offset, off64_t size) {
    return write_back_range(fd, offset, size, SYNC_FILE_RANGE_WRITE);
}
inline int write_back(int fd) {
    return write_back_range(fd, 0, 0,
                            SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
}
// fsync(2) for each of them, all at the same time: those that wait together share the file system's commit
// and the disk's flush, which one after the other would each pay for. Each gets 0 or its error number.
void fsync_all(std::span<const int> files, std::span<int> errors);
}  // namespace relais::sys
