// The server's side of the drop directory (drop.h): which files are whole, and their way into the queue. The
// directory's contents are hostile: anybody may put anything there.
#pragma once

#include <dirent.h>
#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/time.h"
#include "control/home.h"
#include "queue/worker.h"

namespace relais::queue {

// A file that looks whole from outside, open and locked.
struct Dropped {
    std::string name;
    uid_t uid = 0;
    Fd file;
};

// In turns of their owners, so that nobody's thousand stands before somebody else's one; of one owner in
// their order.
std::vector<Dropped> in_turns(std::vector<Dropped> dropped);

class DropDirectory {
  public:
    explicit DropDirectory(const control::Home& home) : home_(home) {}

    // Looks at so many more names, goes on next time where it stopped, and begins anew after the last: gives
    // the files that may be taken in. What is none, and will be none (not ours, or not whole and nobody
    // writes it), is removed when it has lain there for drop_patience; but a file that was made elsewhere, as
    // a restored one, is left for a person. Nothing where there is no directory.
    std::vector<Dropped> look(std::size_t names, std::int64_t now);
    // True if the last look has come to the end.
    bool at_end() const { return at_end_; }
    // Those that look() gives at most: each is a descriptor.
    static constexpr std::size_t most_at_a_time = 64;
    int fd() const { return directory_.get(); }

  private:
    bool open();
    bool take(const std::string& name, std::int64_t now, Dropped& dropped);
    void discard(const std::string& name, const struct stat& info, std::string_view why, std::int64_t now);

    struct Close {
        void operator()(DIR* stream) const { ::closedir(stream); }
    };
    control::Home home_;
    Fd directory_;
    gid_t group_ = 0;
    std::unique_ptr<DIR, Close> stream_;
    bool told_of_foreign_ = false;
    bool at_end_ = true;
};

// Seconds that something wrong may lie there: a program may be about to lock it.
inline constexpr std::int64_t drop_patience = 120;

// What became of one file.
enum class Intake : int {
    done = 0,        // the message is in the queue, or was none; the file is gone
    later = 1,       // not now: the disk says so
    incomplete = 3,  // not whole, and too new to be removed
    stuck = 2,       // it is in the queue, and the file cannot be removed: it must not be taken in once more
};

// Takes the message in, under the uid of the file's owner, and removes the file. directory: of the file, as a
// descriptor. Logs what is wrong. Throws nothing but bad_alloc.
Intake take_in(const Service& service, std::size_t slot, int directory, const Dropped& dropped);

}  // namespace relais::queue
