#include "control/directory_watch.h"

#include <sys/inotify.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <new>

namespace relais::control {
namespace {

constexpr Seconds full_look_interval{1};
constexpr std::uint32_t interesting = IN_MODIFY | IN_ATTRIB | IN_CREATE | IN_DELETE | IN_MOVED_FROM |
                                      IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
// After these the watch is on a directory that is no longer the one of that name.
constexpr std::uint32_t directory_lost = IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED;

// The process's only watch: by its nature one is enough.
const DirectoryWatch*& current_watch() {
    static const DirectoryWatch* watch = nullptr;
    return watch;
}

std::atomic<std::uint64_t>* shared_counter() {
    void* memory = ::mmap(nullptr, sizeof(std::atomic<std::uint64_t>), PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? nullptr : new (memory) std::atomic<std::uint64_t>(1);
}

// True if one of the events says that a directory has gone.
bool tells_of_loss(const char* events, std::size_t size) {
    for (std::size_t at = 0; at + sizeof(inotify_event) <= size;) {
        inotify_event event{};
        std::copy_n(events + at, sizeof event, reinterpret_cast<char*>(&event));
        if ((event.mask & directory_lost) != 0) return true;
        at += sizeof event + event.len;
    }
    return false;
}

}  // namespace

DirectoryWatch::DirectoryWatch(std::vector<std::string> directories)
    : directories_(std::move(directories)),
      inotify_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)),
      next_full_look_(Clock::now() + full_look_interval),
      generation_(inotify_ ? shared_counter() : nullptr) {
    if (generation_ == nullptr) return;
    for (const std::string& directory : directories_)
        if (::inotify_add_watch(inotify_.get(), directory.c_str(), interesting) < 0) return;
    current_watch() = this;
}

DirectoryWatch::~DirectoryWatch() {
    if (current_watch() == this) current_watch() = nullptr;
    if (generation_ != nullptr) ::munmap(generation_, sizeof *generation_);
}

void DirectoryWatch::look() {
    if (current_watch() != this || generation_->load() == 0) return;
    bool changed = false;
    bool lost = false;
    // Room for the longest name. A page of the stack less is one fault less for a process that has just
    // forked.
    alignas(inotify_event) std::array<char, 1024> events;
    for (;;) {
        const ssize_t count = ::read(inotify_.get(), events.data(), events.size());
        if (count <= 0) break;
        changed = true;
        lost = lost || tells_of_loss(events.data(), static_cast<std::size_t>(count));
    }
    if (const auto now = Clock::now(); now >= next_full_look_) {
        next_full_look_ = now + full_look_interval;
        changed = true;
    }
    if (lost)
        generation_->store(0);
    else if (changed)
        generation_->fetch_add(1);
}

std::uint64_t DirectoryWatch::generation_of(std::string_view path) {
    const DirectoryWatch* watch = current_watch();
    if (watch == nullptr) return 0;
    const std::string_view above = path.substr(0, path.rfind('/'));
    const bool covered =
        std::any_of(watch->directories_.begin(), watch->directories_.end(),
                    [&](const std::string& directory) { return directory == above || directory == path; });
    return covered ? watch->generation_->load() : 0;
}

}  // namespace relais::control
