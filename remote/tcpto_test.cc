#include "remote/tcpto.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

namespace relais::remote {
namespace {

TimeoutTable table() {
    return TimeoutTable(Fd(::memfd_create("tcpto", MFD_CLOEXEC)));
}

TEST(TimeoutTable, TwoTimeoutsApartMeanARest) {
    TimeoutTable timeouts = table();
    timeouts.note_timeout("192.0.2.1", 1000);
    EXPECT_FALSE(timeouts.is_resting("192.0.2.1", 1001));
    // The same event, seen by another process.
    timeouts.note_timeout("192.0.2.1", 1100);
    EXPECT_FALSE(timeouts.is_resting("192.0.2.1", 1101));
    timeouts.note_timeout("192.0.2.1", 1130);
    EXPECT_TRUE(timeouts.is_resting("192.0.2.1", 1131));
    EXPECT_TRUE(timeouts.is_resting("192.0.2.1", 1130 + 3599));
    EXPECT_FALSE(timeouts.is_resting("192.0.2.1", 1130 + 91 * 60));
    EXPECT_FALSE(timeouts.is_resting("192.0.2.2", 1131));
}

TEST(TimeoutTable, ASuccessForgets) {
    TimeoutTable timeouts = table();
    timeouts.note_timeout("2001:db8::1", 1000);
    timeouts.note_timeout("2001:db8::1", 2000);
    EXPECT_TRUE(timeouts.is_resting("2001:db8::1", 2001));
    timeouts.note_success("2001:db8::1");
    EXPECT_FALSE(timeouts.is_resting("2001:db8::1", 2001));
    EXPECT_TRUE(timeouts.entries().empty());
}

TEST(TimeoutTable, AClockThatStepsBackDoesNotRestForEver) {
    TimeoutTable timeouts = table();
    timeouts.note_timeout("192.0.2.1", 1000000);
    timeouts.note_timeout("192.0.2.1", 2000000);
    EXPECT_FALSE(timeouts.is_resting("192.0.2.1", 1000));
    timeouts.note_timeout("192.0.2.1", 1000);
    EXPECT_EQ(timeouts.entries().at(0).last, 1000);
}

TEST(TimeoutTable, HoldsTheLatestWhenItIsFull) {
    TimeoutTable timeouts = table();
    for (int i = 0; i < 700; ++i)
        timeouts.note_timeout("10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250), 1000 + i);
    const auto entries = timeouts.entries();
    EXPECT_EQ(entries.size(), 512U);
    for (const auto& entry : entries) EXPECT_GE(entry.last, 1000 + 700 - 512);
}

TEST(TimeoutTable, EntriesAndClear) {
    TimeoutTable timeouts = table();
    timeouts.note_timeout("192.0.2.1", 1000);
    timeouts.note_timeout("2001:db8::1", 1001);
    ASSERT_EQ(timeouts.entries().size(), 2U);
    EXPECT_EQ(timeouts.entries()[0].address, "192.0.2.1");
    EXPECT_EQ(timeouts.entries()[1].address, "2001:db8::1");
    timeouts.clear();
    EXPECT_TRUE(timeouts.entries().empty());
    timeouts.note_timeout("192.0.2.1", 5000);
    EXPECT_EQ(timeouts.entries().size(), 1U);
}

TEST(TimeoutTable, WithoutAFileThereIsNoAdvice) {
    TimeoutTable none;
    none.note_timeout("192.0.2.1", 1000);
    none.note_success("192.0.2.1");
    none.clear();
    EXPECT_FALSE(none.is_resting("192.0.2.1", 1001));
    EXPECT_TRUE(none.entries().empty());
    TimeoutTable timeouts = table();
    timeouts.note_timeout("not an address", 1000);
    EXPECT_TRUE(timeouts.entries().empty());
}

}  // namespace
}  // namespace relais::remote
