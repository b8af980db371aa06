// The files in queue/damaged: what can still be read of them, and what can be done with them. Only when a
// person asks: nothing here is delivered by itself.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "queue/store.h"

namespace relais::queue {

struct DamagedFile {
    MessageId id = 0;
    std::string path;
    std::uint64_t size = 0;
    std::uint64_t message_size = 0;    // of what has an envelope
    std::optional<Envelope> envelope;  // nothing if it cannot be found
    bool whole = false;  // the checksum says that message and envelope are as they were accepted

    // Who has not got it.
    std::vector<std::string> open_recipients() const;
};

// Oldest first. Throws Error.
std::vector<MessageId> damaged_ids(const control::Home& home);
// Nothing if there is no such file. Reads all of it. Throws Error.
std::optional<DamagedFile> examine_damaged(const control::Home& home, MessageId id);

std::string damaged_table_head();
// Its lines in the table; now in unix seconds.
std::string damaged_rows(const DamagedFile& file, std::int64_t now);
// One JSON object, without line end.
std::string damaged_json(const DamagedFile& file, std::int64_t now);

// Submits what is whole anew, for those who have not got it, and removes the file. Answers why not; empty: it
// is done. Throws Error.
std::string resubmit_damaged(const control::Home& home, const DamagedFile& file);
// Removes the file, and the message's bounce text. Throws Error.
void remove_damaged(const control::Home& home, MessageId id);

}  // namespace relais::queue
