#include "queue/disk_floor.h"

#include <gtest/gtest.h>
#include <sys/statvfs.h>

namespace relais::queue {
namespace {

struct statvfs disk(std::uint64_t free_octets, std::uint64_t free_inodes) {
    struct statvfs result {};
    result.f_frsize = 4096;
    result.f_blocks = 10'000'000'000 / 4096;
    result.f_bavail = free_octets / 4096;
    result.f_files = 1'000'000;
    result.f_favail = free_inodes;
    return result;
}

TEST(DiskFloor, WhatTheFileMaySay) {
    EXPECT_EQ(parse_free_space("1000")->octets, 1000U);
    EXPECT_FALSE(parse_free_space("1000")->percent);
    EXPECT_EQ(parse_free_space("100000000  5%")->percent, 5U);
    EXPECT_EQ(parse_free_space("5%")->percent, 5U);
    for (const char* wrong : {"", " ", "x", "%", "101%", "1 2", "5% 5%", "-1", "5 %", "99999999999999999999"})
        EXPECT_FALSE(parse_free_space(wrong)) << wrong;
}

TEST(DiskFloor, OfBothTheSmallerCountsAndBouncesHaveAQuarter) {
    const FreeSpace floor = *parse_free_space("100000000 5%");
    EXPECT_FALSE(is_below(floor, disk(101'000'000, 900'000), 1));
    EXPECT_TRUE(is_below(floor, disk(99'000'000, 900'000), 1));
    EXPECT_FALSE(is_below(floor, disk(26'000'000, 900'000), 4));
    EXPECT_TRUE(is_below(floor, disk(24'000'000, 900'000), 4));
    // 5 % of 10 GB.
    EXPECT_TRUE(is_below(*parse_free_space("5%"), disk(499'000'000, 900'000), 1));
    EXPECT_FALSE(is_below(*parse_free_space("0"), disk(0, 0), 1));
}

TEST(DiskFloor, InodesToo) {
    const FreeSpace floor = *parse_free_space("100000000 5%");
    EXPECT_TRUE(is_below(floor, disk(1'000'000'000, 999), 1));
    EXPECT_FALSE(is_below(floor, disk(1'000'000'000, 1000), 1));
    EXPECT_FALSE(is_below(floor, disk(1'000'000'000, 250), 4));
    EXPECT_TRUE(is_below(*parse_free_space("5%"), disk(1'000'000'000, 49'000), 1));
    struct statvfs uncounted = disk(1'000'000'000, 0);
    uncounted.f_files = 0;
    EXPECT_FALSE(is_below(floor, uncounted, 1));
}

}  // namespace
}  // namespace relais::queue
