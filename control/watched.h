// Values made from control files, made again when one of these has changed. Which files they are is noted
// while they are read, so nothing is read that is not watched.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "control/control_file.h"
#include "control/home.h"

namespace relais::control {

// The files that were read while something was recorded.
class WatchList {
  public:
    explicit WatchList(const Home& home);

    // Calls read; the control files that it reads in this thread are watched from then on, those too that do
    // not exist. One list records at a time: what is read for an inner one is not watched by the outer one.
    template <class Read>
    auto record(const Read& read) {
        const Recording recording(this);
        return read();
    }
    // Watches a file that is read in another way, from now on.
    void add(const std::string& path);
    // True if one of them has changed since it was last asked, or since it was first read.
    bool changed();

    // What reads a control file says so first.
    static void note_read(const std::string& path);

  private:
    class Recording {
      public:
        explicit Recording(WatchList* list);
        ~Recording();
        Recording(const Recording&) = delete;
        Recording& operator=(const Recording&) = delete;

      private:
        WatchList* outer_;
    };
    struct Watched {
        std::string path;
        ChangeWatch watch;
        bool looked_at;  // each time; else only when the directory has changed
    };

    std::string directory_;
    // A file that does not exist begins to when its directory changes: the many that most instances lack cost
    // nothing.
    ChangeWatch directory_watch_;
    std::vector<Watched> files_;
};

template <class Value>
class Watched {
  public:
    // make must not borrow what moves with the owner of this.
    Watched(const Home& home, std::function<Value()> make) : files_(home), make_(std::move(make)) {}
    // Made by Value::read.
    explicit Watched(const Home& home) : Watched(home, [home] { return Value::read(home); }) {}

    // As the files are now. Throws what make throws; the next call tries again.
    const Value& get() {
        if (files_.changed()) value_.reset();
        if (!value_) {
            value_ = files_.record(make_);
            ++version_;
        }
        return *value_;
    }
    // As it was last made, without a look at the files: for what must stay the same for one client.
    const Value& last() { return value_ ? *value_ : get(); }
    // Another one each time the value was made.
    std::uint64_t version() const { return version_; }

  private:
    WatchList files_;
    std::function<Value()> make_;
    std::optional<Value> value_;
    std::uint64_t version_ = 0;
};

}  // namespace relais::control
