// The store behind one narrow door: qmail-queued creates, qmail-send opens, marks and removes, the tools
// look.
#pragma once

#include <dirent.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "control/home.h"
#include "queue/format.h"

namespace relais::queue {

// Where things lie below $QMAILHOME/queue. Nobody outside queue/ builds such a path.
std::string message_path(const control::Home& home, MessageId id);
std::string bounce_path(const control::Home& home, MessageId id);
std::string send_lock_path(const control::Home& home);
// Opens, and makes where it is missing, the lock of qmail-send. Root does that in a directory of qmailq's: no
// link is followed below queue/, and what is no file is refused. Throws Error.
Fd open_send_lock(const control::Home& home);
std::string queued_lock_path(const control::Home& home);
std::string checkpoint_path(const control::Home& home);
// Ids that were to be tried when qmail-send was down, a line each.
std::string retry_path(const control::Home& home);
// What qmail-send has seen of the clock.
std::string clock_path(const control::Home& home);
// Remote destinations that have taken mail: qmail-send's.
std::string destinations_path(const control::Home& home);
// qmail-remote's table of hosts that did not answer: qmailr's.
inline std::string tcpto_path(const control::Home& home) {
    return home.path("queue/lock/tcpto");
}
// The directories mess and bounce of one split.
std::string message_directory(const control::Home& home, std::size_t split);
std::string bounce_directory(const control::Home& home, std::size_t split);
// Where qmail-queued puts files of mess/ that are damaged, under their id. Nothing there is delivered.
std::string damaged_directory(const control::Home& home);
std::string damaged_path(const control::Home& home, MessageId id);
// Every directory that a queue needs, parents first, beginning with queue itself: all qmailq's, group qmail,
// mode 2770.
std::vector<std::string> queue_directories(const control::Home& home);
// The id that a file name in the queue stands for; nothing for any other name.
std::optional<MessageId> parse_message_name(std::string_view name);

// Moves a file of the queue to another of its directories; a file that is there already is not replaced. Both
// directories are synced. Throws Error.
void move_durably(const std::string& from, const std::string& to);

// True for a directory whose name is gone: nothing can be made in it any more.
bool was_removed(int directory);

// Tells Store::load that a message is still being written, until this descriptor is closed.
void lock_while_written(int fd);

// A message read for delivery: head of the file's end (envelope, status, footer), not its body.
struct StoredMessage {
    MessageId id = 0;
    std::uint64_t message_size = 0;
    Envelope envelope;
    Status status;
    std::uint64_t status_offset = 0;
};

// When its life begins, from which retries and queuelifetime count: its birth, or its release.
std::int64_t beginning(const StoredMessage& message);
// Whether it is not to be tried yet: its sender asked for a later time, and nobody has sent it before.
bool waits_for_release(const StoredMessage& message, std::int64_t now);
// In words, of one that waits.
std::string release_text(const StoredMessage& message);

enum class Load { whole, missing, damaged, another_version, unfinished, large };

// The names in one split directory, some at a time. What comes or goes meanwhile may be told or not.
class DirectoryScan {
  public:
    // Throws Error.
    DirectoryScan(const control::Home& home, std::size_t split);
    // The same for any directory of such names.
    DirectoryScan(std::string path, std::size_t split);
    // Calls visit for at most that many messages, or until it returns false. False when there are no more.
    // Throws Error.
    bool next(std::size_t most, const std::function<bool(MessageId)>& visit);
    // Names seen so far that belong into another split.
    const std::vector<MessageId>& misplaced() const { return misplaced_; }

  private:
    struct Close {
        void operator()(DIR* directory) const { ::closedir(directory); }
    };
    std::string path_;
    std::size_t split_;
    std::vector<MessageId> misplaced_;
    std::unique_ptr<DIR, Close> directory_;
};

class Store {
  public:
    explicit Store(control::Home home) : home_(std::move(home)) {}

    // Reads envelope and status; verify also reads the body and compares the checksum (the first time a
    // message is seen), and answers unfinished while qmail-queued has not yet synced the file: delivered now,
    // it could be sent once more by a client that is told 53. damaged: footer or checksum are wrong;
    // another_version: a later relais wrote it; the file is left alone. Throws Error for I/O errors.
    // file, if not null, gets the descriptor that was read from, as open_for_delivery gives one. large: the
    // envelope has more octets than envelope_most; nothing else is known of the message.
    Load load(MessageId id, StoredMessage& message, bool verify, Fd* file = nullptr,
              std::uint64_t envelope_most = UINT64_MAX) const;
    // A descriptor of its own for one delivery, read-only, close-on-exec. Throws Error (ENOENT if it is
    // gone).
    Fd open_for_delivery(MessageId id) const;
    // Writes one mark in place. durable: synced before it returns (F, and D when the next step relies on it).
    // Throws Error.
    void mark(MessageId id, const Recipient& recipient, Mark mark, bool durable) const;
    // The same mark for many recipients: one write each, one sync for all. Throws Error.
    void mark_all(MessageId id, const std::vector<Recipient>& recipients, Mark mark, bool durable) const;
    // Rewrites the status block in place, not synced: it is advice. Throws Error.
    void write_status(const StoredMessage& message) const;
    // Removes the message's bounce text if any, then the message. Throws Error.
    void remove(MessageId id) const;
    // The same for one that has never had a bounce text.
    void remove_message(MessageId id) const;

    // Appends to the bounce text of a message and syncs it (file, and directory when new). Throws Error.
    void append_bounce(MessageId id, std::string_view text) const;
    // The bounce text so far, at most limit octets; nothing if there is none.
    std::optional<std::string> read_bounce(MessageId id, std::size_t limit) const;
    void remove_bounce(MessageId id) const;
    // Of which messages there are bounce texts in one split. Throws Error.
    std::vector<MessageId> bounces(std::size_t split) const;

    // Calls visit for every message in the queue, in no order, until it returns false. One split directory at
    // a time, names only: a million messages take a second. Throws Error.
    void scan(const std::function<bool(MessageId)>& visit) const;
    // For an event loop that scans in steps.
    DirectoryScan directory_scan(std::size_t split) const { return DirectoryScan(home_, split); }
    // The same for one split directory (0 to split_count - 1).
    void scan_split(std::size_t split, const std::function<bool(MessageId)>& visit) const;
    std::uint64_t count() const;
    std::string path(MessageId id) const { return message_path(home_, id); }

    // What qmail-send knows of the clock, for the next one: advice, not synced. Throws Error.
    void keep_clock(std::string_view text) const;
    // Empty if there is none. Throws Error.
    std::string read_clock() const;

    // While qmail-send does not run: the messages that it is to try at once when it starts. The caller holds
    // its lock. Throws Error.
    void note_retry(MessageId id) const;
    // What has been noted; forgets it. Throws Error.
    std::vector<MessageId> take_retries() const;

  private:
    // A name in mess/ is found from its directory, not by a walk from the root.
    int open_in_place(MessageId id, int flags) const;

    control::Home home_;
    // Opened when they are first needed. Copies have the same.
    std::shared_ptr<std::array<Fd, split_count>> directories_ =
        std::make_shared<std::array<Fd, split_count>>();
};

}  // namespace relais::queue
