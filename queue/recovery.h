// What qmail-queued does before it accepts mail: it makes the directories that are missing, and puts aside
// what an earlier one left incomplete.
#pragma once

#include <optional>
#include <vector>

#include "control/home.h"
#include "queue/format.h"
#include "queue/ledger.h"

namespace relais::queue {

// queue/checkpoint: nothing if it is missing or makes no sense. Throws nothing.
std::optional<MessageId> read_checkpoint(const control::Home& home);
// Throws Error.
void write_checkpoint(const control::Home& home, MessageId checkpoint);

// Makes one directory of the queue, with its parent's mode, and syncs its name; true if it was not there.
// Throws Error.
bool make_queue_directory(const std::string& path);
// All that are missing; answers their paths. Throws Error.
std::vector<std::string> make_missing_directories(const control::Home& home);

struct Recovery {
    std::uint64_t removed = 0;
    std::uint64_t damaged = 0;  // moved to queue/damaged
    std::uint64_t kept = 0;  // whole ones: they may have been acknowledged, or not, and may have had no hint
    MessageId highest = 0;   // of all ids looked at
    MessageId left_behind = UINT64_MAX;  // the lowest that could not be looked at or moved
};
// Looks at every file not below the checkpoint. One that never had a footer was never acknowledged: it is
// removed, unless the checkpoint is not known, or it is older than what the last qmail-queued can have been
// writing. Everything else that has no valid footer goes to queue/damaged, with an alert. What is no regular
// file, and what another version wrote, stays where it is. Whole messages in the directory of another split
// are brought home. Call it only while nobody writes (under the lock). What cannot be examined is left and
// logged. More files than most_one_by_one (the checkpoint was lost) are synced with their whole file system
// instead of one after the other. Throws Error for directories.
Recovery recover_messages(const control::Home& home, std::optional<MessageId> checkpoint,
                          std::size_t most_one_by_one = 1000);

// Removes bounce texts whose message is gone, from here and from queue/damaged; not those of the splits whose
// mess/ directory is among made, for what became of those messages nobody knows. Answers how many. qmail-send
// may run. Throws nothing.
std::uint64_t remove_orphan_bounces(const control::Home& home, const std::vector<std::string>& made);

// Removes what a process left unfinished; the lock is held and that process is dead. True if there was a
// file.
bool remove_unfinished(const control::Home& home, Ledger& ledger, std::size_t slot);

}  // namespace relais::queue
