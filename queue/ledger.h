// What the processes of qmail-queued share in memory: the last id given out, and which ids are being written
// right now. From it follow the checkpoint and what a process that died has left behind.
#pragma once

#include <atomic>
#include <cstddef>

#include "queue/format.h"

namespace relais::queue {

class Ledger {
  public:
    // Shared with all processes forked later. Ids will be greater than last. Throws Error.
    Ledger(std::size_t slots, MessageId last);
    ~Ledger();
    Ledger(const Ledger&) = delete;
    Ledger& operator=(const Ledger&) = delete;

    std::size_t slots() const { return slots_; }

    // A fresh id, noted in the slot as being written until done(): the microsecond of now, or one more than
    // the last id where the clock stands still or has stepped back.
    MessageId begin(std::size_t slot);
    // The file of that id is ours, made by this process.
    void created(std::size_t slot);
    // The message is whole and synced, or its file is gone for good. Before this no answer may be given.
    void done(std::size_t slot);
    // An incomplete file that could not be removed: no checkpoint passes it.
    void leave_behind(MessageId id);

    struct Unfinished {
        MessageId id = 0;  // 0: the slot was at rest
        bool created = false;
    };
    // What the slot's process was doing; for its parent, after that process has died.
    Unfinished unfinished(std::size_t slot) const;

    // Below this id every file is whole.
    MessageId checkpoint() const;

  private:
    struct Slot;
    struct Shared;

    Shared* shared_;
    Slot* slot_;
    std::size_t slots_;
    std::size_t size_;
};

}  // namespace relais::queue
