// What the queues of other systems have in common: directories that roles of theirs write into, read through
// descriptors, without following a link, with limits; what cannot be read is named.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/fd.h"
#include "base/held_directory.h"

namespace relais::setup {

// What is wrong with a file: its path below the installation, and words.
using Fault = std::function<void(const std::string& path, const std::string& text)>;

// When it was last written, as the queue counts time; 0 for before 1970.
std::uint64_t change_time(const struct stat& status);

// Locks the file that the other system's daemon locks while it runs, by flock or fcntl. False if it does;
// throws Error where nothing can be locked.
bool lock_alone(const Fd& lock, const std::string& path);

class Spool {
  public:
    Spool(HeldDirectory directory, Fault fault)
        : directory_(std::move(directory)), fault_(std::move(fault)) {}

    const HeldDirectory& directory() const { return directory_; }
    // The same for a path below the directory.
    void fault(const std::string& path, const std::string& text) const { fault_(path, text); }

    // Nothing, and a fault, if it is not a regular file that can be read, or one that somebody has linked
    // there.
    Fd open_file(const std::string& path, struct stat& status) const;
    struct Content {
        std::string text;
        struct stat status;
    };
    // The whole file; nothing, and a fault, if it cannot be read or has more octets than that.
    std::optional<Content> content(const std::string& path, std::size_t limit) const;

    // Calls visit(name, path) for what is in that directory and in those of it whose name is one letter or
    // digit, depth deep. Links and directories with other names are faults.
    using Visit = std::function<void(const std::string& name, const std::string& path)>;
    void walk(const std::string& path, unsigned depth, const Visit& visit) const;

  private:
    HeldDirectory directory_;
    Fault fault_;
};

}  // namespace relais::setup
