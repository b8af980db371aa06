// A directory that is held by its descriptor, and what is below it. On the way down no link is followed and
// nothing leads out again, whatever those who may write there put in place meanwhile (openat2, Linux 5.6):
// what root does in directories that are not root's alone goes through here.
#pragma once

#include <sys/stat.h>

#include <string>
#include <vector>

#include "base/fd.h"

namespace relais {

class HeldDirectory {
  public:
    // Where path leads, through links too: it is the caller's. Throws Error.
    explicit HeldDirectory(const std::string& path);
    // One that is open already; path is its name in texts.
    HeldDirectory(Fd directory, std::string path) : fd_(std::move(directory)), path_(std::move(path)) {}

    int fd() const { return fd_.get(); }
    const std::string& path() const { return path_; }
    // The full path of what is below, for texts.
    std::string path_of(const std::string& below) const {
        return below.empty() ? path_ : path_ + "/" + below;
    }

    // All of these take relative paths. Where a link is in the way errno is ELOOP, and EXDEV where the path
    // leads out.

    // As open(2), close-on-exec. No descriptor, with errno, if that fails; throws Error only where the kernel
    // has no openat2.
    Fd try_open(const std::string& below, int flags, mode_t mode = 0) const;
    // The same. Throws Error.
    Fd open(const std::string& below, int flags, mode_t mode = 0) const;
    // What is there itself, be it a link, by O_PATH: no right to open it is needed. No descriptor, with
    // errno, if that fails.
    Fd hold(const std::string& below) const;
    // Throws Error.
    HeldDirectory directory(const std::string& below) const;
    // The status of what is there itself. False, with errno, if that fails.
    bool look(const std::string& below, struct stat& info) const;
    // Every name in this directory, sorted. Throws Error.
    std::vector<std::string> names() const;
    // As mkdir(2), whose errors are thrown but for EEXIST.
    void make_directory(const std::string& below, mode_t mode) const;

  private:
    Fd fd_;  // O_PATH
    std::string path_;
};

}  // namespace relais
