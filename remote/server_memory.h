// What is known of servers that we have spoken to, by their names: when one was last encrypted, since when
// that fails, what it offered. Shared by all qmail-remote processes of an instance, and kept over restarts.
// Advice only: a file that is missing or damaged, or has no room, means that nothing is known.
//
// The file, queue/lock/servers, has a fixed size: a head, then records in rows; a name's row is known from
// its digest, and in a row what was not seen for the longest time gives way.
//
//   head    magic "relais servers 1" (16), salt (16), zeros to the size of a row
//   record  digest of salt and name (16), encrypted, failing since, failed last, seen (4 each, unix seconds),
//           extensions (4), size limit (8), unused (4); little-endian
//
// The salt keeps those who may choose names of servers from choosing whom they push out. A record is written
// under a lock of its row (fcntl, for processes share the descriptor).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "base/fd.h"
#include "control/home.h"
#include "remote/smtp_reply.h"

namespace relais::remote {

struct KnownServer {
    std::int64_t encrypted = 0;      // when it last was; 0: never
    std::int64_t failing_since = 0;  // TLS has failed since then, without a success; 0: it does not fail
    std::int64_t failed = 0;         // when it failed last
    std::int64_t seen = 0;           // when it last said what it offers; 0: never
    Extensions extensions{};         // without AUTH
};

// So long a server that was encrypted is not spoken to in clear after TLS has begun to fail. A failure that
// is longer ago than that, without another one since, is forgotten.
inline constexpr Seconds tls_grace{24 * 3600};

enum class TlsHold {
    none,     // nothing is known, or it is too long ago
    held,     // it was encrypted within the span: not in clear
    given_up  // ... but has failed for longer than tls_grace: in clear if it must be
};
// span: control/tlsmemory. Pure.
TlsHold tls_hold(const KnownServer& server, Seconds span, std::int64_t now);

// The name that a server is remembered by: what listens on another port is another server.
inline std::string memory_name(const std::string& server, std::uint16_t port) {
    return port == 25 ? server : server + ":" + std::to_string(port);
}

class ServerMemory {
  public:
    static constexpr std::size_t record_size = 48;
    static constexpr std::size_t row_records = 8;
    static constexpr std::size_t rows = 4096;
    using Record = std::array<unsigned char, record_size>;

    // For reading and writing; made if it is missing and that is allowed. What cannot be opened remembers
    // nothing.
    static ServerMemory open(const control::Home& home);
    // For tools: for reading only.
    static ServerMemory open_to_read(const control::Home& home);
    ServerMemory() = default;
    // Takes a file of any content; an empty one gets a head, if it can be written.
    explicit ServerMemory(Fd fd);

    int fd() const { return fd_.get(); }
    bool usable() const { return static_cast<bool>(fd_); }
    // Makes that user the owner of a file that root has just made. A file that is somebody else's is not
    // used.
    void give_to(uid_t uid, gid_t gid);

    // name: the server's, in any case.
    std::optional<KnownServer> find(std::string_view name) const;
    // A session began: what it offers, and whether it is encrypted, which ends a time of failures.
    void note_session(std::string_view name, const Extensions& extensions, bool encrypted, std::int64_t now);
    void note_tls_failure(std::string_view name, std::int64_t now);

  private:
    struct Place;
    std::optional<Place> place_of(std::string_view name) const;
    template <class Change>
    void change(std::string_view name, const Change& change);

    Fd fd_;
    std::array<unsigned char, 16> salt_{};
};

}  // namespace relais::remote
