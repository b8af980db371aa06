// What the processes of a pool know together, in memory that they share: sessions of TLS to resume, what
// became of logins, and what did not answer as soon as another of the same server (an address), or at all
// (its TLS). Advice only: what is lost, old or half written is as if it had never been.
//
// Every process of the pool can write it; they share a user, his files and his passwords, and so trust one
// another. A server cannot: what is kept of it is found only under the name, address and policy under which
// it was met.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "remote/login_memory.h"
#include "remote/server_memory.h"

namespace relais::remote {

class SharedMemory {
  public:
    // Memory that children forked later share. Without memory nothing is remembered.
    SharedMemory();
    ~SharedMemory();
    SharedMemory(const SharedMemory&) = delete;
    SharedMemory& operator=(const SharedMemory&) = delete;

    // A session as SSL_SESSION's DER; too large ones are not kept. now: unix seconds.
    void put_session(std::string_view key, std::string_view session, std::int64_t now);
    // Not older than an hour.
    std::optional<std::string> session(std::string_view key, std::int64_t now) const;

    void note_slow(std::string_view address, std::int64_t now);
    // Within the last ten minutes.
    bool is_slow(std::string_view address, std::int64_t now) const;

    LoginMemory& logins() { return logins_; }
    // What lasts longer than the pool. Before the first process of it begins.
    void set_servers(ServerMemory servers) { servers_ = std::move(servers); }
    ServerMemory& servers() { return servers_; }
    // What other processes of the pool may have written anything into: for tests.
    std::span<char> octets();

  private:
    struct Table;
    Table* table_ = nullptr;
    LoginMemory logins_;
    ServerMemory servers_;
};

}  // namespace relais::remote
