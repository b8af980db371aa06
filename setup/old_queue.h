// The queue of a qmail that does not run, of any split, with todo and intd in one directory or in a split:
// read only, through descriptors, without following a link. What cannot be read is named, and the rest is
// taken.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/held_directory.h"
#include "queue/store.h"
#include "send/rewrite.h"
#include "setup/old_formats.h"
#include "setup/old_spool.h"

namespace relais::setup {

// A directory of the installation: also where a link of that name leads that root has made in root's own
// directory, as queue -> /disk/queue or control -> /etc/qmail. Throws Error.
HeldDirectory part_of(const HeldDirectory& installation, const std::string& name);

// The lock that qmail-send of that installation holds, taken, so that it does not start meanwhile. Throws a
// permanent Error if it runs.
Fd lock_old_queue(const HeldDirectory& installation);

enum class OldState {
    ready,       // somebody has not had it, or its sender is to be told
    finished,    // all have had it; qmail-send had not removed it yet
    unfinished,  // never acknowledged to who submitted it
    lost,        // something that is needed is missing or cannot be read
};

struct OldMessage {
    std::string key{};  // the same as long as its text is
    OldState state = OldState::lost;
    std::uint64_t birth = 0;  // microseconds
    queue::Envelope envelope{};
    Fd body{};
    std::string text{};  // in the place of a body
    std::uint64_t size = 0;
    std::string bounce{};
};

// Whether anybody is still to be delivered to, or told of.
bool is_open(const queue::Envelope& envelope);

class OldQueue {
  public:
    // Looks at names alone. Borrows installation. Throws Error if there is no queue.
    OldQueue(const HeldDirectory& installation, Fault fault);

    std::vector<std::uint64_t> ids() const;
    OldMessage read(std::uint64_t id) const;

  private:
    enum Kind { mess, info, local, remote, todo, intd, bounce, kinds };
    using Files = std::array<std::string, kinds>;  // paths below queue/; "" where there is none

    void look_into(Kind kind);
    void found(Kind kind, std::string_view name, const std::string& path);
    bool add_recipients(const std::string& path, OldMessage& message) const;
    bool take_todo(const Files& files, OldMessage& message) const;
    bool take_info(const Files& files, OldMessage& message) const;
    bool take_body(const Files& files, std::uint64_t id, OldMessage& message) const;
    void take_bounce(const Files& files, OldMessage& message) const;
    void fault(const std::string& path, const std::string& text) const { spool_.fault(path, text); }

    Spool spool_;
    send::RewriteRules rules_;
    Prefixes prefixes_;
    std::map<std::uint64_t, Files> files_;
};

}  // namespace relais::setup
