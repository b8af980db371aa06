// Which remote destinations have taken a message at least once. qmail-send remembers them over its restarts
// in queue/destinations: those it does not know have few places, so that strangers who let deliveries hang
// cannot have all.
//
//   "RELDEST1" salt (8), then records of 16 octets: hash of the name (8), day of the last message (4), check (4);
//   little-endian; a record of zeros is free
//
// Advice only: nothing is synced, what is missing or makes no sense is as if it had never been, and a file
// that cannot be used is none. The name's hash depends on the salt, so nobody outside can choose names that
// push out a certain other one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"

namespace relais::send {

class KnownDestinations {
  public:
    // Reads the file, or makes it. seed: any number, the salt of a new one.
    KnownDestinations(const std::string& path, std::uint64_t seed);

    bool contains(std::string_view name) const;
    // It has taken a message; now in unix seconds. Where there is no room the one goes that has not been met
    // for longest.
    void add(std::string_view name, std::int64_t now);

    // 512 KiB; a name has its place among so many.
    static constexpr std::size_t places = 32'768;
    static constexpr std::size_t ways = 8;

  private:
    struct Record {
        std::uint64_t hash = 0;
        std::uint32_t day = 0;  // 0: free
    };
    std::uint64_t hash_of(std::string_view name) const;
    std::uint32_t check_of(const Record& record) const;
    std::size_t first_place(std::uint64_t hash) const { return hash % (places / ways) * ways; }
    bool read();
    void begin();
    void write(std::size_t place) const;

    Fd fd_;
    std::uint64_t salt_;
    std::vector<Record> records_;
};

}  // namespace relais::send
