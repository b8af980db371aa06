// How much of the queue's file system stays free: below that no message is taken. Bounces may go down to a
// quarter of it, or a full queue could not drain.
//
//   control/queueminfree = OCTETS [PERCENT%] | PERCENT%      of both the smaller one counts
//
// Of inodes as many percent are to stay free, or one for each 100,000 octets; of both the smaller number.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "control/home.h"
#include "control/watched.h"

struct statvfs;

namespace relais::queue {

struct FreeSpace {
    std::optional<std::uint64_t> octets;
    std::optional<unsigned> percent;  // at most 100
};
// Nothing for what is none of these. "0" is no floor.
std::optional<FreeSpace> parse_free_space(std::string_view line);
// Whether a file system, as statvfs(3) tells, has less than a part of the floor: 1, or 4 for a quarter.
bool is_below(const FreeSpace& floor, const struct statvfs& disk, unsigned part);

// The floor as the file says now. One for each process.
class DiskFloor {
  public:
    explicit DiskFloor(const control::Home& home);
    // directory: a descriptor in the queue. What cannot be read or asked is logged and refuses nothing.
    bool reached(int directory, bool bounce);

  private:
    control::Watched<std::string> line_;
    std::uint64_t version_ = 0;  // of the line that floor_ is made of
    FreeSpace floor_;
};

// What a client is told: Z and the text.
inline constexpr std::string_view disk_floor_answer =
    "Zinsufficient system storage, try again later (#4.3.1)";

}  // namespace relais::queue
