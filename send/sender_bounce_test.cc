#include <gtest/gtest.h>

#include <algorithm>

#include "send/bounce.h"
#include "send/sender_fixture.h"
#include "send/slow_work.h"

namespace relais::send {

TEST_F(SenderTest, TheLastFailuresGoIntoTheBounceWithoutARecord) {
    accept(birth, "s@x", {"ann@far.example"});
    answer(take_orders().at(0), Outcome::permanent, "550 no such user\n");
    EXPECT_TRUE(out.logged("delivery 1: failure: 550_no_such_user/"));
    EXPECT_TRUE(out.records.empty());
    EXPECT_FALSE(sender->finished());
    ASSERT_EQ(out.bounces, std::vector<queue::MessageId>{birth});
    EXPECT_EQ(out.bounce_texts[0], "<ann@far.example>:\n550 no such user\n\n");
    EXPECT_EQ(queue.marks(birth), "T");
    sender->bounce_done(birth, {BounceResult::Kind::accepted, 4711, ""});
    EXPECT_TRUE(out.logged("bounce msg 1700000000000000 qp 4711"));
    EXPECT_FALSE(queue.has(birth));
    EXPECT_TRUE(sender->finished());
}

TEST_F(SenderTest, TheBounceWaitsForTheLastRecipient) {
    accept(birth, "s@x", {"ann@far.example", "bob@other.example"});
    const auto orders = take_orders();
    answer(orders[0], Outcome::permanent, "no");
    EXPECT_TRUE(out.bounces.empty());
    answer(orders[1], Outcome::success);
    EXPECT_EQ(queue.marks(birth), "TD");
    ASSERT_EQ(out.bounces.size(), 1U);
    EXPECT_EQ(out.bounce_texts[0], "<ann@far.example>:\nno\n\n");
}

TEST_F(SenderTest, FailuresAreToldInOneGoWhileARecipientWaits) {
    accept(birth, "s@x", {"ann@far.example", "bob@other.example", "joe@third.example"});
    const auto orders = take_orders();
    answer(orders[0], Outcome::permanent, "no");
    answer(orders[1], Outcome::temporary);
    EXPECT_TRUE(out.bounces.empty());
    answer(orders[2], Outcome::permanent, "never");
    EXPECT_TRUE(out.records.empty());
    ASSERT_EQ(out.bounces, std::vector<queue::MessageId>{birth});
    EXPECT_EQ(out.bounce_texts[0], "<ann@far.example>:\nno\n\n<joe@third.example>:\nnever\n\n");
    EXPECT_EQ(queue.marks(birth), "TTT");
    sender->bounce_done(birth, {BounceResult::Kind::accepted, 4711, ""});
    EXPECT_EQ(queue.marks(birth), "DTD");
    EXPECT_TRUE(sender->finished());
    out.bounces.clear();
    pass(400);
    answer(take_orders().at(0), Outcome::permanent, "not now either");
    EXPECT_EQ(out.bounces, std::vector<queue::MessageId>{birth});
    EXPECT_EQ(out.bounce_texts[1], "<bob@other.example>:\nnot now either\n\n");
}

TEST_F(SenderTest, AFailureIsToldWithinFiveMinutesThoughAnotherRecipientHangs) {
    accept(birth, "s@x", {"ann@far.example", "bob@other.example"});
    const auto orders = take_orders();
    answer(orders[0], Outcome::permanent, "no");
    pass(200);
    work();
    EXPECT_TRUE(out.bounces.empty());
    EXPECT_LE(sender->seconds_to_next(), 40u);
    pass(90);
    work();
    EXPECT_EQ(out.bounces, std::vector<queue::MessageId>{birth});
    sender->bounce_done(birth, {BounceResult::Kind::accepted, 4711, ""});
    EXPECT_EQ(queue.marks(birth), "DT");
    answer(orders[1], Outcome::success);
    EXPECT_FALSE(queue.has(birth));
    EXPECT_EQ(out.bounces.size(), 1u);
}

TEST_F(SenderTest, LaterFailuresOfAMessageAreToldAtDoublingGaps) {
    accept(birth, "s@x", {"a@a.example", "b@b.example", "c@c.example", "d@d.example"});
    auto orders = take_orders();
    answer(orders[0], Outcome::permanent, "first");
    for (std::size_t i = 1; i < 4; ++i) answer(orders[i], Outcome::temporary);
    sender->bounce_done(birth, {BounceResult::Kind::accepted, 1, ""});
    pass(450);
    orders = take_orders();
    ASSERT_EQ(orders.size(), 3u);
    answer(orders[0], Outcome::permanent, "second");
    for (std::size_t i = 1; i < 3; ++i) answer(orders[i], Outcome::temporary);
    // Too soon: it is recorded.
    EXPECT_EQ(out.bounces.size(), 1u);
    ASSERT_EQ(out.records.size(), 1u);
    do_records();
    EXPECT_EQ(queue.marks(birth), "DFTT");
    pass(5000);
    orders = take_orders();
    ASSERT_EQ(orders.size(), 2u);
    answer(orders[0], Outcome::permanent, "third");
    answer(orders[1], Outcome::temporary);
    ASSERT_EQ(out.bounces.size(), 2u);
    EXPECT_EQ(out.bounce_texts[1], "<c@c.example>:\nthird\n\n");
    EXPECT_EQ(queue.store().read_bounce(birth, 1000), "<b@b.example>:\nsecond\n\n");
    sender->bounce_done(birth, {BounceResult::Kind::accepted, 2, ""});
    ASSERT_EQ(out.records.size(), 1u);
    EXPECT_TRUE(out.records[0].told);
    EXPECT_TRUE(decode_failure_record(encode(out.records[0]))->told);
    do_records();
    EXPECT_EQ(queue.marks(birth), "DDDT");
    EXPECT_FALSE(queue.store().read_bounce(birth, 1000));
    EXPECT_TRUE(sender->finished());
}

TEST_F(SenderTest, AnEarlyBounceThatIsRefusedIsRecorded) {
    accept(birth, "s@x", {"ann@far.example", "bob@other.example"});
    const auto orders = take_orders();
    answer(orders[0], Outcome::permanent, "no");
    answer(orders[1], Outcome::temporary);
    ASSERT_EQ(out.bounces.size(), 1u);
    sender->bounce_done(birth, {BounceResult::Kind::trouble, 0, "qq write error or disk full (#4.3.0)"});
    do_records();
    EXPECT_EQ(queue.marks(birth), "FT");
    EXPECT_EQ(queue.store().read_bounce(birth, 1000), "<ann@far.example>:\nno\n\n");
    pass(400);
    answer(take_orders().at(0), Outcome::temporary);
    EXPECT_EQ(out.bounces.size(), 2u);
    sender->bounce_done(birth, {BounceResult::Kind::accepted, 1, ""});
    do_records();
    EXPECT_EQ(queue.marks(birth), "DT");
}

TEST_F(SenderTest, ABounceThatCannotBeSubmittedIsTriedAgain) {
    accept(birth, "s@x", {"ann@far.example"});
    answer(take_orders().at(0), Outcome::permanent, "no");
    sender->bounce_done(birth, {BounceResult::Kind::trouble, 0, "qq write error or disk full (#4.3.0)"});
    EXPECT_TRUE(out.logged("warning: trouble injecting bounce message, will try later"));
    EXPECT_TRUE(queue.has(birth));
    do_records();
    EXPECT_EQ(queue.marks(birth), "F");
    EXPECT_EQ(queue.store().read_bounce(birth, 1000), "<ann@far.example>:\nno\n\n");
    out.bounces.clear();
    pass(119);
    work();
    EXPECT_TRUE(out.bounces.empty());
    pass(1);
    work();
    EXPECT_EQ(out.bounces.size(), 1U);
}

TEST_F(SenderTest, ARequestToBounceDoesNotWaitForTheTryAfterARefusedOne) {
    for (const bool under_way : {true, false}) {
        const queue::MessageId id = birth + (under_way ? 1 : 0);
        out.bounces.clear();
        accept(id, "s@x", {"ann@far.example", "bob@other.example"});
        const auto orders = take_orders();
        ASSERT_EQ(orders.size(), 2U);
        answer(orders[0], Outcome::permanent, "no");
        answer(orders[1], Outcome::temporary);
        ASSERT_EQ(out.bounces, std::vector<queue::MessageId>{id});
        const auto refuse = [&] {
            sender->bounce_done(id, {BounceResult::Kind::trouble, 0, "connection to mail server rejected"});
        };
        if (!under_way) refuse();
        ASSERT_TRUE(sender->control({ControlVerb::bounce, id}).ok);
        if (under_way) refuse();
        do_records();
        EXPECT_EQ(out.bounces.size(), 2U) << "under way: " << under_way;
        sender->bounce_done(id, {BounceResult::Kind::accepted, 1, ""});
        work();
        EXPECT_FALSE(queue.has(id));
        pass(4000);
    }
}

TEST_F(SenderTest, AFailureThatCannotBeRecordedIsTriedAgain) {
    accept(birth, "s@x", {"ann@far.example"});
    answer(take_orders().at(0), Outcome::permanent, "no");
    sender->bounce_done(birth, {BounceResult::Kind::trouble, 0, "qq write error or disk full (#4.3.0)"});
    ASSERT_EQ(out.records.size(), 1U);
    out.records.clear();
    out.bounces.clear();
    sender->failure_recorded(birth, "unable to sync: No space left on device");
    EXPECT_TRUE(out.logged("alert: unable to sync"));
    work();
    EXPECT_TRUE(out.records.empty());
    EXPECT_TRUE(out.bounces.empty());
    pass(60);
    work();
    ASSERT_EQ(out.records.size(), 1U);
    EXPECT_EQ(out.records[0].text, "<ann@far.example>:\nno\n\n");
    do_records();
    EXPECT_TRUE(out.bounces.empty());
    pass(120);
    work();
    EXPECT_EQ(out.bounces.size(), 1U);
}

TEST_F(SenderTest, FailuresOfAHundredThousandAreRecordedInPieces) {
    std::vector<std::string> many;
    for (int i = 0; i < 100'000; ++i)
        many.push_back(std::string(60, 'u') + std::to_string(i) + "@far.example");
    accept(birth, "s@x", many);
    for (const auto& order : take_orders()) answer(order, Outcome::temporary, "dead", true);
    ASSERT_TRUE(sender->control({ControlVerb::bounce, birth}).ok);
    std::size_t recipients = 0;
    while (!out.records.empty()) {
        const FailureRecord record = out.records.at(0);
        out.records.clear();
        EXPECT_LT(encode(record).size(), slow_request_limit);
        EXPECT_FALSE(record.recipients.empty());
        recipients += record.recipients.size();
        sender->failure_recorded(birth, "");
    }
    EXPECT_GT(recipients, many.size() / 2);
    const std::string& rest = out.bounce_texts.at(0);
    recipients += static_cast<std::size_t>(std::count(rest.begin(), rest.end(), '@'));
    EXPECT_EQ(recipients, many.size());
    EXPECT_EQ(out.bounces, std::vector<queue::MessageId>{birth});
}

TEST(SlowWorkerTest, AnEndWaitsForFewRequests) {
    SlowWorker worker(
        "test", {}, [] {}, [](const std::string& request) { return request; });
    for (std::size_t i = 0; i < slow_requests_given + 1000; ++i) worker.ask("request");
    EXPECT_EQ(worker.drop_waiting(), 1000U);
    EventLoop loop;
    std::size_t answers = 0;
    worker.attach(
        loop,
        [&](const std::string& answer) {
            EXPECT_EQ(answer, "request");
            if (++answers == slow_requests_given) worker.ask("request");
            if (answers > slow_requests_given) loop.stop();
        },
        [&] { loop.stop(); });
    loop.run();
    EXPECT_EQ(answers, slow_requests_given + 1);
}

TEST_F(SenderTest, TheFailureOfARemovedMessageIsNotRecorded) {
    accept(birth, "s@x", {"ann@far.example"});
    answer(take_orders().at(0), Outcome::permanent, "no");
    queue.store().remove(birth);
    sender->bounce_done(birth, submit_report(queue.home(), queue.store(), birth, ReportKind::failure, "text",
                                             Deadline::in(Seconds(1))));
    do_records();
    EXPECT_FALSE(queue.store().read_bounce(birth, 100));
    pass(60);
    work();
    EXPECT_TRUE(out.records.empty());
    EXPECT_TRUE(sender->finished());
    EXPECT_FALSE(sender->control({ControlVerb::why, birth}).ok);
}

}  // namespace relais::send
