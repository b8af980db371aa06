#include <fcntl.h>
#include <gtest/gtest.h>

#include "send/sender_fixture.h"

namespace relais::send {

TEST_F(SenderTest, AClockJumpDoesNotExpireMail) {
    accept(birth, "s@x", {"ann@far.example"});
    answer(take_orders().at(0), Outcome::temporary, "busy");
    wall += 10'000'000 * second;
    pass(400);
    EXPECT_TRUE(out.logged("warning: the clock jumped"));
    answer(take_orders().at(0), Outcome::temporary, "busy");
    EXPECT_TRUE(out.records.empty());
    // Backwards: nothing waits for the old time to come again.
    wall -= 20'000'000 * second;
    pass(1'000'000'000);
    EXPECT_EQ(take_orders().size(), 1U);
}

TEST_F(SenderTest, AStartTriesWhatIsThere) {
    know({"far.example"});
    queue.put(birth, "s@x", {"joe@local.example"});
    for (int i = 1; i <= 50; ++i)
        queue.put(birth - 40'000 * second + static_cast<std::uint64_t>(i), "s@x", {"ann@far.example"});
    sender->start_scan();
    std::size_t orders = 0;
    while (sender->scan_step()) orders += take_orders().size();
    orders += take_orders().size();
    EXPECT_LT(orders, 10U);
    // The old ones come over ten minutes.
    for (int i = 0; i < 600; ++i) {
        pass(1);
        for (const auto& order : take_orders()) {
            answer(order, Outcome::success);
            ++orders;
        }
    }
    EXPECT_EQ(orders, 51U);
}

TEST_F(SenderTest, NothingIsScheduledTwice) {
    accept(birth, "s@x", {"joe@local.example"});
    sender->hint(birth);
    sender->start_scan();
    while (sender->scan_step()) {
    }
    EXPECT_EQ(take_orders().size(), 1U);
}

TEST_F(SenderTest, WhatACrashLeftIsFinished) {
    queue.put(birth, "s@x", {"a@far.example", "b@far.example"});
    queue.put(birth + 1, "s@x", {"a@far.example", "b@far.example"});
    queue::StoredMessage stored;
    ASSERT_EQ(queue.store().load(birth, stored, true), queue::Load::whole);
    for (const auto& recipient : stored.envelope.recipients)
        queue.store().mark(birth, recipient, queue::Mark::done, false);
    for (const auto& recipient : stored.envelope.recipients)
        queue.store().mark(birth + 1, recipient, queue::Mark::failed, true);
    sender->start_scan();
    while (sender->scan_step()) {
    }
    EXPECT_TRUE(take_orders().empty());
    EXPECT_FALSE(queue.has(birth));
    EXPECT_EQ(out.bounces, std::vector<queue::MessageId>{birth + 1});
}

TEST_F(SenderTest, AWrongClockAtABootMakesNoMailTooOld) {
    pass(1);
    sender->exit_soon();
    // Without a battery: 1970, until somebody sets it.
    const std::uint64_t today = wall;
    wall = 1000 * second;
    monotonic = 20'000;
    make();
    accept(1010 * second, "s@x", {"a@far.example"});
    EXPECT_EQ(take_orders().size(), 1u);
    wall = today + 60 * second;
    make();
    sender->start_scan();
    while (sender->scan_step()) {
    }
    pass(600);
    const auto orders = take_orders();
    ASSERT_EQ(orders.size(), 1u);
    answer(orders[0], Outcome::temporary, "not now");
    EXPECT_TRUE(out.bounces.empty());
    EXPECT_TRUE(queue.has(1010 * second));
    pass(4000);
    EXPECT_EQ(take_orders().size(), 1u);
}

TEST_F(SenderTest, DamagedMessagesAreLeftAlone) {
    accept(birth, "s@x", {"joe@local.example"});
    std::filesystem::resize_file(queue::message_path(queue.home(), birth), 50);
    EXPECT_TRUE(take_orders().empty());
    EXPECT_TRUE(out.logged("alert: message 1700000000000000 is damaged"));
    EXPECT_TRUE(queue.has(birth));
    pass(100'000);
    EXPECT_TRUE(take_orders().empty());
}

TEST_F(SenderTest, ADamagedMessageThatAScanFindsIsToldAtTheSecondLook) {
    const queue::MessageId young = birth;
    queue.put(young, "s@x", {"joe@local.example"});
    std::ofstream(queue::message_path(queue.home(), young), std::ios::in | std::ios::out) << "X";
    sender->start_scan();
    while (sender->scan_step()) {
    }
    EXPECT_TRUE(take_orders().empty());
    pass(60);
    EXPECT_TRUE(take_orders().empty());
    EXPECT_TRUE(out.logged("alert: message " + std::to_string(young) + " is damaged"));
    EXPECT_EQ(sender->control({ControlVerb::why, young}).text,
              "it is damaged: footer or checksum are wrong\n");
    EXPECT_TRUE(queue.has(young));
}

TEST_F(SenderTest, AFlushFindsWhatSomebodyHasPutThere) {
    queue.put(birth, "s@x", {"joe@local.example"});
    EXPECT_TRUE(take_orders().empty());
    sender->flush();
    while (sender->scan_step()) {
    }
    EXPECT_EQ(take_orders().size(), 1u);
}

TEST_F(SenderTest, AFileThatIsStillBeingWrittenIsNoDamage) {
    std::ofstream(queue::message_path(queue.home(), birth)) << "half";
    sender->start_scan();
    while (sender->scan_step()) {
    }
    EXPECT_TRUE(take_orders().empty());
    EXPECT_FALSE(out.logged("alert"));
    queue.put(birth, "s@x", {"joe@local.example"});
    pass(300);
    EXPECT_EQ(take_orders().size(), 1U);
}

TEST_F(SenderTest, AMessageIsNotDeliveredBeforeItIsSynced) {
    queue.put(birth, "s@x", {"joe@local.example"});
    Fd writer(::open(queue::message_path(queue.home(), birth).c_str(), O_RDWR));
    queue::lock_while_written(writer.get());
    sender->start_scan();
    while (sender->scan_step()) {
    }
    EXPECT_TRUE(take_orders().empty());
    pass(5);
    EXPECT_TRUE(take_orders().empty());
    writer.reset();
    pass(5);
    EXPECT_EQ(take_orders().size(), 1U);
}

TEST_F(SenderTest, AHintForWhatAScanMetHalfWrittenCountsAtOnce) {
    std::ofstream(queue::message_path(queue.home(), birth)) << "half";
    sender->start_scan();
    while (sender->scan_step()) {
    }
    EXPECT_TRUE(take_orders().empty());
    accept(birth, "s@x", {"joe@local.example"});
    EXPECT_EQ(take_orders().size(), 1U);
    pass(300);
    EXPECT_TRUE(take_orders().empty());
}

TEST_F(SenderTest, AVanishedMessageIsForgotten) {
    accept(birth, "s@x", {"joe@local.example", "ann@local.example"});
    auto orders = take_orders();
    ASSERT_EQ(orders.size(), 2U);
    queue.store().remove(birth);
    answer(orders[0], Outcome::success);
    answer(orders[1], Outcome::success);
    EXPECT_TRUE(sender->finished());
    EXPECT_FALSE(sender->control({ControlVerb::why, birth}).ok);
}

}  // namespace relais::send
