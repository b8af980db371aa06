#include "control/watched.h"

#include <sys/stat.h>

#include <algorithm>

namespace relais::control {
namespace {

thread_local WatchList* recording = nullptr;

bool exists(const std::string& path) {
    struct stat file {};
    return ::lstat(path.c_str(), &file) == 0;
}

}  // namespace

WatchList::Recording::Recording(WatchList* list) : outer_(std::exchange(recording, list)) {}

WatchList::Recording::~Recording() {
    recording = outer_;
}

WatchList::WatchList(const Home& home) : directory_(home.path("control")), directory_watch_(directory_) {
    static_cast<void>(directory_watch_.changed());
}

void WatchList::note_read(const std::string& path) {
    if (recording != nullptr) recording->add(path);
}

void WatchList::add(const std::string& path) {
    if (std::any_of(files_.begin(), files_.end(), [&](const Watched& file) { return file.path == path; }))
        return;
    files_.push_back({path, ChangeWatch(path), true});
    static_cast<void>(files_.back().watch.changed());
}

bool WatchList::changed() {
    const bool directory_changed = directory_watch_.changed();
    bool any = false;
    for (Watched& file : files_) {
        const bool directly_below = file.path.starts_with(directory_) &&
                                    file.path.find('/', directory_.size() + 1) == std::string::npos;
        if (directory_changed || !directly_below) file.looked_at = !directly_below || exists(file.path);
        if (directory_changed || file.looked_at) any = file.watch.changed() || any;
    }
    return any;
}

}  // namespace relais::control
