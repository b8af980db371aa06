// The spool of an Exim that does not run, split or not: read only, through descriptors, without following a
// link. What cannot be read is named, and the rest is taken.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/held_directory.h"
#include "setup/old_queue.h"
#include "setup/old_spool.h"

namespace relais::setup {

// An Exim has no lock for its spool; it works in that directory. Throws a permanent Error if one does.
void refuse_running_exim(const HeldDirectory& spool);

class EximQueue {
  public:
    // Looks at names alone. note: what a message meant to Exim and does not mean here. Throws Error if
    // there is no spool.
    EximQueue(HeldDirectory spool, Fault fault, Fault note);

    std::size_t size() const { return messages_.size(); }
    OldMessage read(std::size_t index) const;

  private:
    struct Files {
        std::string header{}, data{}, journal{};  // paths; "" where there is none
    };
    void found(const std::string& name, const std::string& path);
    bool take_body(const std::string& id, const Files& files, bool wire, OldMessage& message) const;
    bool take_done(const Files& files, std::vector<std::string> done, OldMessage& message) const;

    Spool spool_;
    Fault note_;
    std::map<std::string, Files> files_{};
    std::vector<std::string> messages_{};
};

}  // namespace relais::setup
