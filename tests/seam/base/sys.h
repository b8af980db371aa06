// Stands in for base/sys.h in the tests of power cuts: the same calls, recorded (tests/seam/recorder.h).
#pragma once

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstdio>
#include <span>

namespace relais::sys {

int open(const char* path, int flags, mode_t mode = 0);
int openat(int directory, const char* name, int flags, mode_t mode = 0);
int close(int fd);
int fstat(int fd, struct stat* info);
int fchmod(int fd, mode_t mode);
int fchown(int fd, uid_t uid, gid_t gid);
int flock(int fd, int operation);
int lock_range(int fd);
int fsync(int fd);
int syncfs(int fd);
int ftruncate(int fd, off_t size);
int link(const char* from, const char* to);
int mkdir(const char* path, mode_t mode);
int rename(const char* from, const char* to);
int rename_new(const char* from, const char* to);
int unlink(const char* path);
int unlinkat(int directory, const char* name, int flags);
ssize_t write(int fd, const void* data, size_t size);
ssize_t pwrite(int fd, const void* data, size_t size, off_t offset);
int open_unnamed(const char* directory, mode_t mode);
int link_unnamed(int fd, const char* to);
int begin_write_back(int fd, off64_t offset, off64_t size);
int write_back(int fd);
void fsync_all(std::span<const int> files, std::span<int> errors);
ssize_t writev(int fd, const iovec* parts, int count);

}  // namespace relais::sys
