// What a session reads from and writes to: a descriptor as it is, or a TLS connection over one
// (tls/connection.h). Whoever speaks only to descriptors needs none of this: base/io.h is the same without
// virtual calls.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "base/deadline.h"

namespace relais {

class Transport {
  public:
    Transport() = default;
    Transport(const Transport&) = delete;
    Transport& operator=(const Transport&) = delete;
    virtual ~Transport() = default;

    // Reads at most buffer.size() octets, at least one unless the peer has ended its stream properly (0).
    // Throws Error: ETIMEDOUT when the deadline passed, ECONNABORTED when a TLS stream was cut off without an
    // end (close_notify).
    virtual std::size_t read_some(std::span<char> buffer, Deadline deadline) = 0;
    // Writes everything. Throws Error; ETIMEDOUT when the deadline passed.
    virtual void write_all(std::string_view data, Deadline deadline) = 0;
    // The same, and the end: of TLS (close_notify), with the last octets. The descriptor stays open.
    virtual void write_last(std::string_view data, Deadline deadline) = 0;

    // What a call that must not wait achieved. wants says which readiness of fd() to poll for before the next
    // try; under TLS a read may want to write and a write to read. A read that gave octets may be followed by
    // another at once: poll only after a try that wants something, for TLS reads ahead.
    enum class Wants { nothing, read, write };
    struct Progress {
        std::size_t count = 0;
        Wants wants = Wants::nothing;
        bool ended = false;  // read only: the peer's proper end
    };
    // As read_some and write_all, without waiting, and of writing only a part perhaps. Under TLS a write that
    // wanted something must be tried again with the same octets first. Throw Error.
    virtual Progress try_read(std::span<char> buffer) = 0;
    // The same, without a look at the descriptor: what has been read ahead.
    virtual Progress try_pending(std::span<char> buffer) = 0;
    virtual Progress try_write(std::string_view data) = 0;

    // True if octets are here that the next read gives without waiting: they count as buffered.
    virtual bool has_pending() const = 0;
    // For poll, after a try that wants something.
    virtual int fd() const = 0;
};

// A descriptor as it is.
class FdTransport final : public Transport {
  public:
    // Borrows fd.
    explicit FdTransport(int fd) : fd_(fd) {}

    std::size_t read_some(std::span<char> buffer, Deadline deadline) override;
    void write_all(std::string_view data, Deadline deadline) override;
    void write_last(std::string_view data, Deadline deadline) override { write_all(data, deadline); }
    Progress try_pending(std::span<char>) override { return {0, Wants::read, false}; }
    // fd must be non-blocking, or a socket.
    Progress try_read(std::span<char> buffer) override;
    Progress try_write(std::string_view data) override;
    bool has_pending() const override { return false; }
    int fd() const override { return fd_; }

  private:
    int fd_;
};

}  // namespace relais
