// Messages of another mail system enter the queue of an instance that stands still, with their age, who has
// had them and what failed. docs/internals.md, "Imported messages", has the order of the steps.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/fd.h"
#include "control/home.h"
#include "queue/format.h"

namespace relais::queue {

struct ImportedMessage {
    std::string key;          // names it in the ledger for good: letters, digits and "-"
    std::uint64_t birth = 0;  // microseconds; what lies in the future counts as now, and so does 0
    Envelope envelope{};      // marks count; options.hold: it is held as by queue-list hold
    int body = -1;            // a descriptor at the message's first octet; it is read to its end
    std::string_view text{};  // in the place of body, where that is -1
    std::string bounce{};     // what its sender is to be told of those with mark F
};

// The ledger of an instance: keys of what has been brought. Nothing if there is none yet. Throws Error.
std::unordered_set<std::string> read_ledger(const control::Home& home);

// The locks of qmail-send and qmail-queued: while they are held nobody writes into the queue.
struct QueueLocks {
    Fd send;
    Fd queued;
};
// Throws a permanent Error where one of them runs.
QueueLocks lock_queue(const control::Home& home);

class Importer {
  public:
    // Ends what an interrupted import left. The caller has the locks and is qmailq. Throws Error.
    explicit Importer(const control::Home& home);
    ~Importer();
    Importer(const Importer&) = delete;
    Importer& operator=(const Importer&) = delete;

    bool has(const std::string& key) const { return ledger_.contains(key); }
    // Writes it under a name that nobody looks at; sometimes it commits. Throws Error.
    void add(const ImportedMessage& message);
    // Makes what was added last, and gives it its names. Throws Error.
    void commit();

  private:
    struct Written {
        std::string key;
        MessageId id;
    };

    MessageId free_id(std::uint64_t birth);
    void end_what_was_begun();
    void append_to_ledger();
    std::string directory(MessageId id) const;
    std::string beside(MessageId id) const;

    control::Home home_;
    std::unordered_set<std::string> ledger_;
    std::unordered_set<MessageId> ids_;                    // in the queue, and given out here
    std::unordered_map<MessageId, MessageId> next_ids_{};  // by birth
    std::vector<Written> written_;
    std::uint64_t octets_ = 0;
    Fd ledger_file_;
    Fd directory_;  // mess/, for its file system
};

}  // namespace relais::queue
