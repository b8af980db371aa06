// The policies that qmail-stsd knows, in memory and in a directory: a file for each domain, named as that.
//
//   file = id LF fetched SP ends LF policy      fetched, ends: unix seconds; policy: as sts::text_of has it
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "sts/policy.h"

namespace relais::sts {

struct Entry {
    Policy policy{};
    std::string id{};
    std::int64_t fetched = 0;
    std::int64_t ends = 0;
    std::int64_t used = 0;  // asked for last; not in the file

    bool operator==(const Entry&) const = default;
};

std::string encode_entry(const Entry& entry);
// Nothing for what is none.
std::optional<Entry> decode_entry(std::string_view text);

class Cache {
  public:
    // Reads what there is in the directory; what is none, has ended or is too much is removed. Without
    // the directory, which is logged, everything is in memory alone.
    Cache(std::string directory, std::size_t most, std::int64_t now);

    // As long as it lasts. Valid until the next put.
    Entry* find(const std::string& domain, std::int64_t now);
    // It lasts over a crash when this has returned. What ends first gives way. Throws Error: then it is in
    // memory alone.
    void put(const std::string& domain, Entry entry, std::int64_t now);
    // One that has been used within a month and is half over, or a day old; then not again for an hour.
    std::optional<std::string> due(std::int64_t now);
    std::size_t size() const { return entries_.size(); }

  private:
    void remove(const std::string& domain);

    std::string directory_;
    std::size_t most_;
    std::map<std::string, Entry, std::less<>> entries_;
    std::map<std::string, std::int64_t, std::less<>> tried_;  // when due() has named it
};

}  // namespace relais::sts
