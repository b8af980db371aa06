// Makes one message durable: the only code that creates files in mess/. docs/internals.md has the order of
// its steps.
#pragma once

#include <sys/uio.h>

#include <array>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "control/home.h"
#include "queue/format.h"
#include "queue/ledger.h"

namespace relais::queue {

// The directories of mess/, kept open so that creating a file looks up one name and syncing its directory
// opens none.
class MessageDirectories {
  public:
    // Throws Error.
    explicit MessageDirectories(const control::Home& home);
    int fd(MessageId id) const { return directories_[id % split_count].get(); }
    // True if the directory of that id had been removed: there is another one now. Keeps errno otherwise.
    bool renew(MessageId id) const;

  private:
    Fd open(std::size_t split) const;

    control::Home home_;
    mutable std::array<Fd, split_count> directories_;
};

// Destroyed without a successful finish(), it leaves no file.
class MessageWriter {
  public:
    // Borrows both for its lifetime; slot is this process's. only_one: this process writes no other message,
    // so that what makes many of them faster is not worth its beginning and its end.
    MessageWriter(const MessageDirectories& directories, Ledger& ledger, std::size_t slot,
                  bool only_one = false)
        : directories_(directories), ledger_(ledger), slot_(slot), only_one_(only_one) {}
    ~MessageWriter() { abandon(); }
    MessageWriter(const MessageWriter&) = delete;
    MessageWriter& operator=(const MessageWriter&) = delete;

    // Creates the file under a fresh id. Throws Error.
    MessageId create();
    // Adds octets of the message. They are borrowed: they must stay as they are until flush() or finish().
    // Throws Error.
    void add(std::string_view octets);
    // Writes what was added. Throws Error.
    void flush();
    // Adds the envelope (as submitted: F sender NUL (T recipient NUL)* NUL), an extension if there is one,
    // and the rest, writes, syncs file and directory. When it returns, the message is there to stay. Throws
    // Error; the file is gone then.
    void finish(const Envelope& info, std::string_view submitted_envelope, std::string_view extension = "");

  private:
    void sync();
    void abandon() noexcept;

    const MessageDirectories& directories_;
    Ledger& ledger_;
    std::size_t slot_;
    bool only_one_;
    MessageId id_ = 0;
    Fd file_;
    std::array<char, 24> name_{};
    Checksum checksum_;
    std::uint64_t message_size_ = 0;
    std::uint64_t written_ = 0;
    std::uint64_t write_back_begun_ = 0;  // up to here
    std::array<iovec, 16> pending_{};
    std::size_t pending_count_ = 0;
};

}  // namespace relais::queue
