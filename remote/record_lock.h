// A lock on a part of a file (fcntl) while it lives. It is the process's: descriptors are shared with the
// parent that opened the file.
#pragma once

#include <fcntl.h>

#include <cerrno>

namespace relais::remote {

class RecordLock {
  public:
    // type: F_RDLCK or F_WRLCK. Without begin and size it is the whole file. Waits; where the file can have
    // no locks there is none, for what stands in these files is advice.
    RecordLock(int fd, short type, off_t begin = 0, off_t size = 0) : fd_(fd), begin_(begin), size_(size) {
        set(type, F_SETLKW);
    }
    ~RecordLock() { set(F_UNLCK, F_SETLK); }
    RecordLock(const RecordLock&) = delete;
    RecordLock& operator=(const RecordLock&) = delete;

  private:
    void set(short type, int command) const {
        struct flock range {};
        range.l_type = type;
        range.l_whence = SEEK_SET;
        range.l_start = begin_;
        range.l_len = size_;
        while (::fcntl(fd_, command, &range) != 0 && errno == EINTR) {
        }
    }
    int fd_;
    off_t begin_;
    off_t size_;
};

}  // namespace relais::remote
