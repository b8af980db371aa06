// Spares ChangeWatch its stat(2): one inotify descriptor watches whole directories, and as long as nothing
// happens there the files in them count as unchanged. The kernel tells of a change before the call that made
// it returns, so nothing is noticed later than by stat(2); a full look once a second covers what inotify
// cannot see (network file systems, a change by another hard link).
//
// One for a process and the processes it forks: the parent calls look(), and all of them see what it found. A
// symbolic link is always followed by stat(2), for its target may lie elsewhere.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "base/fd.h"

namespace relais::control {

class DirectoryWatch {
  public:
    // To be made before confinement. Where the kernel refuses inotify, files are looked at each time as
    // without it.
    explicit DirectoryWatch(std::vector<std::string> directories);
    ~DirectoryWatch();
    DirectoryWatch(const DirectoryWatch&) = delete;
    DirectoryWatch& operator=(const DirectoryWatch&) = delete;

    // Notices what has happened since the last call: afterwards changed() of a ChangeWatch tells the truth.
    // One read(2).
    void look();

    // Grows with each change that look() noticed; 0 if changes cannot be noticed.
    std::uint64_t generation() const { return generation_ == nullptr ? 0 : generation_->load(); }
    // The same for a file; 0 if no watch covers the file (or is on the directory itself).
    static std::uint64_t generation_of(std::string_view path);

  private:
    std::vector<std::string> directories_;
    Fd inotify_;
    Clock::time_point next_full_look_;
    std::atomic<std::uint64_t>* generation_;  // in memory shared with forked processes
};

}  // namespace relais::control
