// Delivery into a Maildir.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "local/message.h"

namespace relais::local {

// This host's name as it may stand in a file name of a Maildir. Kept after the first call.
const std::string& maildir_host();

// Delivers into the Maildir at directory (which ends in a slash): head, then the message, written to a name
// of its own in tmp/, synced, linked into new/, and new/ synced. When it returns the message is there also
// after a power cut. Throws a temporary Error in qmail's words; nothing is left in new/ then, and nothing in
// tmp/ if it can be helped.
void deliver_to_maildir(const std::string& directory, std::string_view head, const Message& message);

// Several deliveries of one user's, durable together: each as deliver_to_maildir makes it, but the disk
// begins with all of them before it is waited for, and a directory that several went into is synced once.
class MaildirBatch {
  public:
    MaildirBatch();
    ~MaildirBatch();
    MaildirBatch(const MaildirBatch&) = delete;
    MaildirBatch& operator=(const MaildirBatch&) = delete;

    // Writes a message into tmp/ of the Maildir. Throws as deliver_to_maildir; then it does not count.
    void add(const std::string& directory, std::string_view head, const Message& message);
    // Syncs, links into new/, syncs that. One entry for each message added, in order: what went wrong with
    // it, or nothing.
    std::vector<std::optional<Error>> finish();

  private:
    class File;
    struct NewDirectory;
    void sync_files(std::vector<std::optional<Error>>& results) const;
    void sync_names(const std::map<std::string, NewDirectory>& directories,
                    std::vector<std::optional<Error>>& results) const;

    std::vector<std::unique_ptr<File>> files_;
};

}  // namespace relais::local
