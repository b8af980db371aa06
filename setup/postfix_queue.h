// The queue of a Postfix that does not run, of any depth of hash_queue_names: read only, through descriptors,
// without following a link. What cannot be read is named, and the rest is taken.
#pragma once

#include <string>
#include <vector>

#include "base/fd.h"
#include "base/held_directory.h"
#include "setup/old_queue.h"
#include "setup/old_spool.h"
#include "setup/postfix_file.h"

namespace relais::setup {

// The lock that master holds, taken, so that it does not start meanwhile. Nothing if it was never started.
// Throws a permanent Error if it runs.
Fd lock_postfix(const HeldDirectory& queue);

class PostfixQueue {
  public:
    // Looks at names alone. domain: of addresses in maildrop that have none. note: what a message meant to
    // Postfix and does not mean here. Throws Error if there is no queue.
    PostfixQueue(HeldDirectory queue, std::string domain, Fault fault, Fault note);

    std::size_t size() const { return files_.size(); }
    OldMessage read(std::size_t index) const;

  private:
    struct File {
        std::string id;
        std::string directory;  // maildrop, incoming, active, deferred, hold
        std::string path;
    };

    void found(const std::string& directory, const std::string& id, const std::string& path);
    void take_failures(const File& file, OldMessage& message) const;
    void complete(const File& file, uid_t owner, OldMessage& message) const;

    Spool spool_;
    std::string domain_;
    Fault note_;
    std::vector<File> files_;
    std::map<std::string, std::string> places_;    // ids, and where they are
    std::map<std::string, std::string> failures_;  // files of bounce/ by id
};

}  // namespace relais::setup
