#include "queue/ledger.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "base/fd.h"
#include "base/io.h"
#include "base/octets.h"
#include "base/time.h"

namespace relais::queue {
namespace {

TEST(Ledger, AnIdIsTheMicrosecondOfItsBirth) {
    Ledger ledger(1, 0);
    const std::uint64_t before = now_microseconds();
    const MessageId id = ledger.begin(0);
    EXPECT_GE(id, before);
    EXPECT_LE(id, now_microseconds());
}

TEST(Ledger, AfterAStepBackOfTheClockIdsGoOnByOne) {
    const MessageId future = now_microseconds() + 1000000000;
    Ledger ledger(1, future);
    EXPECT_EQ(ledger.begin(0), future + 1);
    EXPECT_EQ(ledger.begin(0), future + 2);
}

TEST(Ledger, TheCheckpointPassesNothingThatIsBeingWritten) {
    Ledger ledger(3, now_microseconds() + 1000000000);
    const MessageId start = ledger.checkpoint();
    const MessageId first = ledger.begin(0);
    const MessageId second = ledger.begin(1);
    EXPECT_EQ(ledger.checkpoint(), start);
    EXPECT_EQ(first, start);
    ledger.done(0);
    EXPECT_EQ(ledger.checkpoint(), second);
    const MessageId third = ledger.begin(0);
    ledger.done(0);
    EXPECT_EQ(ledger.checkpoint(), second);
    ledger.done(1);
    EXPECT_EQ(ledger.checkpoint(), third + 1);
    ledger.leave_behind(second);
    ledger.leave_behind(third);
    EXPECT_EQ(ledger.checkpoint(), second);
}

TEST(Ledger, SaysWhatAProcessLeftUnfinished) {
    Ledger ledger(2, 0);
    EXPECT_EQ(ledger.unfinished(1).id, 0u);
    const MessageId id = ledger.begin(1);
    EXPECT_EQ(ledger.unfinished(1).id, id);
    EXPECT_FALSE(ledger.unfinished(1).created);
    ledger.created(1);
    EXPECT_TRUE(ledger.unfinished(1).created);
    ledger.done(1);
    EXPECT_EQ(ledger.unfinished(1).id, 0u);
}

TEST(Ledger, ProcessesDrawDistinctIdsAboveEveryCheckpoint) {
    constexpr std::size_t processes = 4, each = 5000;
    Ledger ledger(processes, 0);
    Pipe pipe = make_pipe();
    for (std::size_t slot = 0; slot < processes; ++slot) {
        if (::fork() != 0) continue;
        std::string ids;
        for (std::size_t i = 0; i < each; ++i) {
            append_le(ids, ledger.begin(slot), 8);
            ledger.done(slot);
        }
        write_all(pipe.write.get(), ids, Deadline::in(Seconds(60)));
        ::_exit(0);
    }
    pipe.write.reset();
    // Each checkpoint, when taken, is above no id that is drawn and not done: here, none goes back.
    MessageId last = 0;
    for (int i = 0; i < 10000; ++i) {
        const MessageId checkpoint = ledger.checkpoint();
        EXPECT_GE(checkpoint, last);
        last = checkpoint;
    }
    const std::string octets = read_to_end(pipe.read.get(), std::size_t{1} << 20, Deadline::in(Seconds(60)));
    while (::wait(nullptr) > 0) {
    }
    std::vector<MessageId> ids;
    for (std::size_t at = 0; at < octets.size(); at += 8) ids.push_back(get_le(octets, at, 8));
    ASSERT_EQ(ids.size(), processes * each);
    std::sort(ids.begin(), ids.end());
    EXPECT_EQ(std::adjacent_find(ids.begin(), ids.end()), ids.end());
    EXPECT_EQ(ledger.checkpoint(), ids.back() + 1);
}

}  // namespace
}  // namespace relais::queue
