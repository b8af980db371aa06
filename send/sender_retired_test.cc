#include <gtest/gtest.h>

#include "send/sender_fixture.h"

namespace relais::send {

TEST_F(SenderTest, ExitWaitsForDeliveriesAndStartsNone) {
    accept(birth, "s@x", {"ann@far.example"});
    const auto orders = take_orders();
    accept(birth + 1, "s@x", {"bob@far.example"});
    sender->exit_soon();
    EXPECT_TRUE(out.logged("status: local 0/10 remote 1/20 exitasap"));
    EXPECT_TRUE(take_orders().empty());
    EXPECT_FALSE(sender->finished());
    answer(orders[0], Outcome::success);
    EXPECT_TRUE(sender->finished());
}

TEST_F(SenderTest, WhatARetiredSpawnerHasHoldsNothingElse) {
    queue.put(birth, "s@x", {"joe@local.example", "ann@local.example", "bob@far.example"});
    sender->expect_lists(1);
    sender->still_running(1, {40, birth, 1'700'000'000, Channel::local, "joe@local.example", {0}});
    sender->start_scan();
    while (sender->scan_step()) {
    }
    EXPECT_TRUE(take_orders().empty());  // the list may have more
    sender->list_complete();
    const auto orders = take_orders();
    ASSERT_EQ(orders.size(), 2U);
    EXPECT_EQ(orders[0].delivery, 41U);
    answer(orders[0], Outcome::success);
    answer(orders[1], Outcome::temporary, "busy");
    EXPECT_EQ(queue.marks(birth).front(), 'T');
    // The rest of the message is tried again meanwhile.
    pass(10'000);
    auto again = take_orders();
    ASSERT_EQ(again.size(), 1U);
    EXPECT_EQ(again[0].host, "far.example");
    answer(again[0], Outcome::success);
    EXPECT_EQ(queue.marks(birth), "TDD");
    EXPECT_NE(sender->control({ControlVerb::why, birth})
                  .text.find("delivery 40 of before the last restart still runs"),
              std::string::npos);
    EXPECT_FALSE(sender->finished());
    sender->late_report(1, {40, {{Outcome::success, "did it"}}, "", false, 0});
    EXPECT_FALSE(queue.has(birth));
    EXPECT_TRUE(sender->finished());
    EXPECT_TRUE(out.logged("delivery 40: success: did_it/"));
}

TEST_F(SenderTest, WhatARetiredSpawnerHasCountsInThePartOfItsUser) {
    local_concurrency = 4;
    make();
    queue.put(birth, "s@x", {"vuser@local.example", "vuser-a@local.example", "one@virtual.example"});
    sender->still_running(1, {40, birth, 1'700'000'000, Channel::local, "vuser@local.example", {0}});
    sender->still_running(1, {41, birth, 1'700'000'000, Channel::local, "vuser-a@local.example", {1}});
    sender->still_running(1, {42, birth, 1'700'000'000, Channel::local, "vuser-one@virtual.example", {2}});
    accept(birth + 1, "s@x", {"two@virtual.example"});
    EXPECT_TRUE(take_orders().empty());
    accept(birth + 2, "s@x", {"ann@local.example"});
    const auto orders = take_orders();
    ASSERT_EQ(orders.size(), 1U);
    EXPECT_EQ(orders[0].recipients, std::vector<std::string>{"ann@local.example"});
    sender->late_report(1, {41, {{Outcome::success, ""}}, "", false, 0});
    const auto next = take_orders();
    ASSERT_EQ(next.size(), 1U);
    EXPECT_EQ(next[0].recipients, std::vector<std::string>{"vuser-two@virtual.example"});
}

TEST_F(SenderTest, ALateReportLeavesTheScheduleOfTheRest) {
    accept(birth, "s@x", {"joe@local.example", "bob@far.example"});
    for (const auto& order : take_orders()) answer(order, Outcome::temporary, "busy");
    make();
    sender->still_running(1, {40, birth, 1'700'000'000, Channel::local, "joe@local.example", {0}});
    sender->start_scan();
    while (sender->scan_step()) {
    }
    const auto first = take_orders();
    ASSERT_EQ(first.size(), 1U);
    answer(first[0], Outcome::temporary, "busy");
    sender->late_report(1, {40, {{Outcome::success, ""}}, "", false, 0});
    EXPECT_EQ(queue.marks(birth), "DT");
    EXPECT_TRUE(take_orders().empty());
    pass(100'000);
    EXPECT_EQ(take_orders().size(), 1U);
}

TEST_F(SenderTest, ALateReportThatComesTwiceChangesNothing) {
    queue.put(birth, "s@x", {"joe@local.example", "bob@far.example"});
    queue::StoredMessage stored;
    ASSERT_EQ(queue.store().load(birth, stored, true), queue::Load::whole);
    queue.store().mark(birth, stored.envelope.recipients[0], queue::Mark::done, false);
    sender->still_running(1, {40, birth, 1'700'000'000, Channel::local, "joe@local.example", {0}});
    sender->late_report(1, {40, {{Outcome::permanent, "no"}}, "", false, 0});
    EXPECT_EQ(queue.marks(birth), "DT");
    EXPECT_TRUE(out.records.empty());
    const auto orders = take_orders();
    ASSERT_EQ(orders.size(), 1U);
    EXPECT_EQ(orders[0].host, "far.example");
}

TEST_F(SenderTest, WhatIsGivenBackIsTriedAtOnce) {
    accept(birth, "s@x", {"bob@far.example"});
    const auto orders = take_orders();
    ASSERT_EQ(orders.size(), 1U);
    sender->report(Channel::remote, {orders[0].delivery, {}, "", false, 0});
    EXPECT_TRUE(out.logged("deferral: It_was_cut_off_by_a_restart"));
    EXPECT_EQ(take_orders().size(), 1U);
}

TEST_F(SenderTest, WhatALostRetiredSpawnerHadIsTriedAgain) {
    queue.put(birth, "s@x", {"joe@local.example"});
    sender->still_running(1, {40, birth, 1'700'000'000, Channel::local, "joe@local.example", {0}});
    sender->start_scan();
    while (sender->scan_step()) {
    }
    EXPECT_TRUE(take_orders().empty());
    sender->retired_lost(1);
    EXPECT_EQ(take_orders().size(), 1U);
}

TEST_F(SenderTest, AListThatComesAfterAnotherSpawnersReportIsHeeded) {
    queue.put(birth, "s@x", {"joe@local.example", "ann@local.example"});
    sender->expect_lists(2);
    sender->still_running(1, {40, birth, 1'700'000'000, Channel::local, "joe@local.example", {0}});
    sender->list_complete();
    // Its failure is being told, so the message is in the window.
    sender->late_report(1, {40, {{Outcome::permanent, "no"}}, "", false, 0});
    ASSERT_EQ(out.bounces.size(), 1U);
    sender->still_running(2, {41, birth, 1'700'000'000, Channel::local, "ann@local.example", {1}});
    sender->list_complete();
    sender->late_report(2, {41, {{Outcome::success, "did it"}}, "", false, 0});
    EXPECT_TRUE(out.logged("delivery 41: success: did_it/"));
    sender->bounce_done(birth, {BounceResult::Kind::accepted, 1, ""});
    EXPECT_TRUE(take_orders().empty());
    EXPECT_FALSE(queue.has(birth));
}

TEST_F(SenderTest, NothingIsBouncedOnRequestBeforeAllListsAreComplete) {
    queue.put(birth, "s@x", {"joe@local.example"});
    sender->expect_lists(1);
    EXPECT_FALSE(sender->control({ControlVerb::bounce, birth}).ok);
    sender->still_running(1, {40, birth, 1'700'000'000, Channel::local, "joe@local.example", {0}});
    sender->list_complete();
    EXPECT_TRUE(sender->control({ControlVerb::bounce, birth}).ok);
    EXPECT_TRUE(out.bounces.empty());
    sender->late_report(1, {40, {{Outcome::success, ""}}, "", false, 0});
    EXPECT_FALSE(queue.has(birth));
}

// The numbers of a spawner whose list was given up are used again, and then it is asked once more.

TEST_F(SenderTest, TwoSpawnersMayHaveADeliveryOfTheSameNumber) {
    queue.put(birth, "s@x", {"joe@local.example"});
    queue.put(birth + 1, "s@x", {"ann@local.example"});
    sender->still_running(1, {40, birth, 1'700'000'000, Channel::local, "joe@local.example", {0}});
    sender->still_running(2, {40, birth + 1, 1'700'000'000, Channel::local, "ann@local.example", {0}});
    sender->start_scan();
    while (sender->scan_step()) {
    }
    EXPECT_TRUE(take_orders().empty());
    sender->late_report(2, {40, {{Outcome::success, ""}}, "", false, 0});
    EXPECT_TRUE(queue.has(birth));
    EXPECT_FALSE(queue.has(birth + 1));
    sender->late_report(1, {40, {{Outcome::success, ""}}, "", false, 0});
    EXPECT_FALSE(queue.has(birth));
    EXPECT_TRUE(sender->finished());
}

TEST_F(SenderTest, WhatIsGivenBackWaitsForNobodyElseOfItsMessage) {
    accept(birth, "s@x", {"joe@local.example", "bob@far.example"});
    const auto orders = take_orders();
    ASSERT_EQ(orders.size(), 2U);
    make();
    sender->still_running(1, {2, birth, 1'700'000'000, Channel::remote, "far.example", {1}});
    sender->start_scan();
    while (sender->scan_step()) {
    }
    ASSERT_EQ(take_orders().size(), 1U);  // joe's, which hangs
    sender->late_report(1, {2, {}, "", false, 0});
    const auto again = take_orders();
    ASSERT_EQ(again.size(), 1U);
    EXPECT_EQ(again[0].host, "far.example");
}

TEST_F(SenderTest, WhatALostRetiredSpawnerHadWaitsForNoOtherDestination) {
    // The destination of one backs off, while the other is at the retired spawner.
    accept(birth + 1, "s@x", {"ann@far.example"});
    const auto orders = take_orders();
    ASSERT_EQ(orders.size(), 1U);
    answer(orders[0], Outcome::temporary, "no route", true);
    queue.put(birth, "s@x", {"joe@local.example", "bob@far.example"});
    sender->still_running(1, {40, birth, 1'700'000'000, Channel::local, "joe@local.example", {0}});
    sender->hint(birth);
    EXPECT_TRUE(take_orders().empty());
    sender->retired_lost(1);
    const auto again = take_orders();
    ASSERT_EQ(again.size(), 1U);
    EXPECT_EQ(again[0].recipients, std::vector<std::string>{"joe@local.example"});
}

TEST_F(SenderTest, ARefusedBounceIsTriedAgainWhileARetiredSpawnerHasTheRest) {
    queue.put(birth, "s@x", {"joe@local.example", "ann@local.example"});
    sender->still_running(1, {40, birth, 1'700'000'000, Channel::local, "joe@local.example", {0}});
    sender->hint(birth);
    const auto orders = take_orders();
    ASSERT_EQ(orders.size(), 1U);
    answer(orders[0], Outcome::permanent, "no");
    ASSERT_EQ(out.bounces.size(), 1U);
    sender->bounce_done(birth, {BounceResult::Kind::trouble, 0, "busy"});
    do_records();
    EXPECT_EQ(queue.marks(birth), "TF");
    pass(150);
    EXPECT_TRUE(take_orders().empty());
    EXPECT_EQ(out.bounces.size(), 2U);
    sender->bounce_done(birth, {BounceResult::Kind::accepted, 1, ""});
    do_records();
    EXPECT_EQ(queue.marks(birth), "TD");
    sender->late_report(1, {40, {{Outcome::success, ""}}, "", false, 0});
    EXPECT_FALSE(queue.has(birth));
}

TEST_F(SenderTest, AHandoverWaitsForNoDelivery) {
    accept(birth, "s@x", {"ann@far.example"});
    ASSERT_EQ(take_orders().size(), 1U);
    EXPECT_TRUE(sender->control({ControlVerb::handover, 0}).ok);
    EXPECT_TRUE(sender->finished());
}

TEST_F(SenderTest, ALostSpawnerEndsTheRest) {
    accept(birth, "s@x", {"ann@far.example", "joe@local.example"});
    const auto orders = take_orders();
    sender->channel_lost(Channel::remote);
    EXPECT_FALSE(sender->finished());
    answer(orders[0], Outcome::success);
    EXPECT_TRUE(sender->finished());
    EXPECT_EQ(queue.marks(birth), "TD");
}

}  // namespace relais::send
