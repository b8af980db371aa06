// Hosts that did not answer: shared by all qmail-remote processes of an instance. An address that timed out
// twice, two minutes or more apart, without a success between, is not tried again for about an hour (60 to 91
// minutes, by process, so that not everybody tries at once). Advice only: a file that is missing or damaged
// means no advice.
//
// The file is a table of records of 32 octets: address (16; IPv4 as ::ffff:a.b.c.d), count of time-outs (1),
// unused (7), unix seconds of the last one (8, little-endian). Locked as a whole by fcntl, for processes
// share the descriptor.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "control/home.h"

namespace relais::remote {

class TimeoutTable {
  public:
    // For reading and writing; made if it is missing and that is allowed. What cannot be opened gives no
    // advice.
    static TimeoutTable open(const control::Home& home);
    TimeoutTable() = default;
    explicit TimeoutTable(Fd fd) : fd_(std::move(fd)) {}

    // For administrators. Without a table yet, one that is not usable(). Throws Error for what cannot be
    // opened, and where there is no queue.
    static TimeoutTable open_existing(const control::Home& home, int flags);

    bool usable() const { return static_cast<bool>(fd_); }
    int fd() const { return fd_.get(); }
    // Makes that user the owner of a file that root has just made. A file that is somebody else's is not
    // used.
    void give_to(uid_t uid, gid_t gid);

    // True if the address should be left alone now.
    bool is_resting(std::string_view address, std::int64_t now) const;
    void note_timeout(std::string_view address, std::int64_t now);
    void note_success(std::string_view address);

    struct Entry {
        std::string address;
        int count;
        std::int64_t last;
    };
    // Throws Error.
    std::vector<Entry> entries() const;
    // Forgets everything. Throws Error.
    void clear();

  private:
    Fd fd_;
};

}  // namespace relais::remote
