// What is below an instance's directory, reached from that directory itself: resolved once, held, and
// searched without following links, for much of it is in directories that roles write into. The one exception
// are links that the administrator made in the instance's own directory (queue -> /disk/queue), where nobody
// else could have.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>
#include <vector>

#include "base/held_directory.h"
#include "control/home.h"
#include "setup/identity.h"

namespace relais::setup {

class Tree {
  public:
    // Throws Error.
    Tree(const control::Home& home, const Identity& identity);

    // What is there itself, by O_PATH; path is below the instance, "" is its directory. Nothing, with errno:
    // ENOENT where nothing is there, ELOOP where a link, something that is no directory, or a stranger's
    // directory is in the way. Throws Error.
    Fd hold(const std::string& path) const;
    // The same for a directory; ELOOP, too, if it is a stranger's or something else.
    std::optional<HeldDirectory> directory(const std::string& path) const;
    // The status of what hold would give.
    std::optional<struct stat> look(const std::string& path) const;
    // The names in a directory, sorted; none where there is no such directory, or where this user may not
    // look.
    std::vector<std::string> names(const std::string& path) const;
    std::string path_of(const std::string& path) const { return root_.path_of(path); }

    // True if it belongs to the administrator or a role. Nothing else is given to a role, and nothing below
    // it is touched. For anybody but root the kernel sees to that.
    bool is_ours(uid_t owner) const;
    // Why a link in the instance's directory is not followed, or, of bin, who else could change what root
    // runs; "" if it is well.
    std::string trouble_of_link(const std::string& name) const;

  private:
    Fd step(const HeldDirectory& from, const std::string& name) const;

    HeldDirectory root_;
    const Identity identity_;
};

// "alias/Maildir" of "alias/Maildir/new"; "" of what is in the instance's directory.
std::string parent_of(const std::string& path);
std::string name_of(const std::string& path);

}  // namespace relais::setup
