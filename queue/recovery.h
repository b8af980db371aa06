// What qmail-queued does before it accepts mail: the files that an earlier one left incomplete go.
#pragma once

#include "control/home.h"
#include "queue/format.h"
#include "queue/ledger.h"

namespace relais::queue {

// queue/checkpoint: 0 if it is missing or makes no sense. Throws nothing.
MessageId read_checkpoint(const control::Home& home);
// Throws Error.
void write_checkpoint(const control::Home& home, MessageId checkpoint);

struct Recovery {
    std::uint64_t removed = 0;
    std::uint64_t kept = 0;  // whole ones: they may have been acknowledged, or not, and may have had no hint
    MessageId highest = 0;   // of all ids looked at
    MessageId left_behind = UINT64_MAX;  // the lowest that could not be looked at or removed
};
// Removes every file not below the checkpoint that has no valid footer: it was never acknowledged. Call it
// only while nobody writes (under the lock). What cannot be examined is left and logged. More files than most_one_by_one (the
// checkpoint was lost) are synced with their whole file system instead of one after the other. Throws Error for
// directories.
Recovery remove_incomplete(const control::Home& home, MessageId checkpoint,
                           std::size_t most_one_by_one = 1000);

// Removes what a process left unfinished; the lock is held and that process is dead. True if there was a
// file.
bool remove_unfinished(const control::Home& home, Ledger& ledger, std::size_t slot);

}  // namespace relais::queue
