#include "send/sender.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "send/bounce.h"
#include "send/slow_work.h"
#include "send/test_queue.h"

namespace relais::send {
namespace {

constexpr std::uint64_t second = 1'000'000;
constexpr queue::MessageId birth = 1'700'000'000 * second;

// A qmail-send without processes: time stands still until it is told, and spawners are the test.
class SenderTest : public testing::Test {
  protected:
    SenderTest() { make(); }

    void make() {
        Settings settings;
        settings.rules = RewriteRules("local.example", {"local.example"}, {}, {"virtual.example:vuser"});
        settings.concurrency_local = local_concurrency;
        settings.concurrency_remote = remote_concurrency;
        settings.queue_lifetime = lifetime;
        sender = std::make_unique<Sender>(queue.home(), settings, out, 1);
        pass(0);
    }
    // A new start, with destinations that have taken mail before.
    void know(const std::vector<std::string>& hosts) {
        for (const std::string& host : hosts)
            KnownDestinations(queue::destinations_path(queue.home()), 1).add(host, 1'700'000'000);
        make();
    }
    // Lets time pass, on both clocks.
    void pass(std::uint64_t seconds) {
        wall += seconds * second;
        monotonic += seconds * 1000;
        sender->set_time(wall, monotonic);
    }
    void work() {
        while (sender->work()) {
        }
    }
    void accept(queue::MessageId id, const std::string& from, const std::vector<std::string>& to) {
        queue.put(id, from, to);
        sender->hint(id);
    }
    void answer(const TestOutlets::Order& order, Outcome outcome, const std::string& text = "text",
                bool unreachable = false, const std::string& group = "") {
        Report report;
        report.delivery = order.delivery;
        report.recipients.assign(order.recipients.size(), {outcome, text});
        report.connection_failed = unreachable;
        report.mx_group = group;
        sender->report(order.channel, report);
    }
    void do_records() {
        for (const FailureRecord& record : std::exchange(out.records, {}))
            sender->failure_recorded(record.message, record_failure(queue.store(), record));
    }
    std::vector<TestOutlets::Order> take_orders() {
        work();
        return std::exchange(out.orders, {});
    }

    TestQueue queue;
    TestOutlets out;
    unsigned local_concurrency = 10;
    unsigned remote_concurrency = 20;
    std::int64_t lifetime = 604800;
    std::uint64_t wall = birth + 10;
    std::uint64_t monotonic = 5000;
    std::unique_ptr<Sender> sender;
};

TEST_F(SenderTest, LocalSuccessEndsTheMessage) {
    accept(birth, "a@far.example", {"joe@local.example"});
    const auto orders = take_orders();
    ASSERT_EQ(orders.size(), 1U);
    EXPECT_EQ(orders[0].channel, Channel::local);
    EXPECT_EQ(orders[0].recipients, std::vector<std::string>{"joe@local.example"});
    answer(orders[0], Outcome::success, "did 0+0+1\n");
    EXPECT_FALSE(queue.has(birth));
    const std::string id = std::to_string(birth);
    EXPECT_EQ(out.lines, (std::vector<std::string>{
                             "new msg " + id,
                             "info msg " + id + ": bytes 21 from <a@far.example> qp " + id + " uid 1000",
                             "starting delivery 1: msg " + id + " to local joe@local.example",
                             "status: local 1/10 remote 0/20", "delivery 1: success: did_0+0+1/",
                             "status: local 0/10 remote 0/20", "end msg " + id}));
}

TEST_F(SenderTest, RecipientsOfOneDestinationGoInOneOrder) {
    accept(birth, "s@x", {"a@One.example", "b@two.example", "c@one.EXAMPLE", "u@virtual.example"});
    const auto orders = take_orders();
    ASSERT_EQ(orders.size(), 3U);
    EXPECT_EQ(orders[0].recipients, std::vector<std::string>{"vuser-u@virtual.example"});
    EXPECT_EQ(orders[1].recipients, (std::vector<std::string>{"a@One.example", "c@one.EXAMPLE"}));
    EXPECT_EQ(orders[2].delivery, orders[1].delivery + 2);
    EXPECT_TRUE(out.logged("starting delivery 3: msg 1700000000000000 to remote c@one.EXAMPLE"));
}

TEST_F(SenderTest, AnOrderHasAHundredRecipientsAtMost) {
    know({"far.example"});
    std::vector<std::string> many;
    for (int i = 0; i < 250; ++i) many.push_back("u" + std::to_string(i) + "@far.example");
    accept(birth, "s@x", many);
    std::size_t all = 0;
    for (const auto& order : take_orders()) {
        EXPECT_LE(order.recipients.size(), order_recipient_limit);
        all += order.recipients.size();
    }
    EXPECT_EQ(all, 250U);
}

TEST_F(SenderTest, VerpSendersGoOneByOne) {
    know({"far.example"});
    accept(birth, "list-@lists.example-@[]", {"joe@far.example", "ann@far.example", "u@virtual.example"});
    const auto orders = take_orders();
    ASSERT_EQ(orders.size(), 3U);
    EXPECT_EQ(orders[0].sender, "list-u=virtual.example@lists.example");
    EXPECT_EQ(orders[1].sender, "list-joe=far.example@lists.example");
    EXPECT_EQ(orders[2].sender, "list-ann=far.example@lists.example");
}

TEST_F(SenderTest, DeliveredRecipientsAreMarkedWhileOthersWait) {
    accept(birth, "s@x", {"joe@local.example", "ann@far.example"});
    auto orders = take_orders();
    answer(orders[0], Outcome::success);
    EXPECT_EQ(queue.marks(birth), "DT");
    answer(orders[1], Outcome::temporary, "busy");
    EXPECT_EQ(queue.marks(birth), "DT");
    queue::StoredMessage stored;
    ASSERT_EQ(queue.store().load(birth, stored, true), queue::Load::whole);
    EXPECT_EQ(stored.status.tries, 1U);
    EXPECT_EQ(stored.status.last_error, "busy");
    EXPECT_EQ(stored.status.next_try, static_cast<std::int64_t>(birth / second) + 400);
    EXPECT_TRUE(take_orders().empty());
    pass(399);
    EXPECT_TRUE(take_orders().empty());
    pass(1);
    orders = take_orders();
    ASSERT_EQ(orders.size(), 1U);
    EXPECT_EQ(orders[0].recipients[0], "ann@far.example");
    answer(orders[0], Outcome::success);
    EXPECT_FALSE(queue.has(birth));
}

TEST_F(SenderTest, RetriesAreQuadratic) {
    accept(birth, "s@x", {"ann@far.example"});
    std::vector<std::uint64_t> ages;
    for (int i = 0; i < 6; ++i) {
        std::vector<TestOutlets::Order> orders;
        while ((orders = take_orders()).empty()) pass(10);
        ages.push_back(wall / second - birth / second);
        answer(orders[0], Outcome::temporary);
    }
    EXPECT_EQ(ages, (std::vector<std::uint64_t>{0, 400, 1600, 3600, 6400, 10000}));
}

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
    sender->bounce_done(birth,
                        submit_bounce(queue.home(), queue.store(), birth, "text", Deadline::in(Seconds(1))));
    do_records();
    EXPECT_FALSE(queue.store().read_bounce(birth, 100));
    pass(60);
    work();
    EXPECT_TRUE(out.records.empty());
    EXPECT_TRUE(sender->finished());
    EXPECT_FALSE(sender->control({ControlVerb::why, birth}).ok);
}

TEST_F(SenderTest, QueuedRecipientsFollowNewLocalsAndVirtualDomains) {
    remote_concurrency = 0;
    local_concurrency = 0;
    make();
    accept(birth, "s@x", {"ann@far.example", "joe@local.example", "bob@other.example"});
    EXPECT_TRUE(take_orders().empty());
    Settings settings = sender->settings();
    settings.rules = RewriteRules("local.example", {"far.example"}, {}, {});
    settings.concurrency_local = settings.concurrency_remote = 10;
    sender->reload(settings);
    const auto orders = take_orders();
    ASSERT_EQ(orders.size(), 3U);
    for (const auto& order : orders) {
        const bool local = order.channel == Channel::local;
        EXPECT_EQ(local, order.recipients[0] == "ann@far.example");
        EXPECT_EQ(order.host, local ? "" : order.recipients[0].substr(4));
        answer(order, Outcome::success);
    }
    EXPECT_FALSE(queue.has(birth));
}

TEST_F(SenderTest, ExpiryAddsTheClassicSentence) {
    lifetime = 1000;
    make();
    accept(birth, "s@x", {"ann@far.example"});
    answer(take_orders().at(0), Outcome::temporary, "busy");
    pass(1600);
    answer(take_orders().at(0), Outcome::temporary, "still busy");
    EXPECT_TRUE(out.logged(
        "failure: still_busy/I'm_not_going_to_try_again;_this_message_has_been_in_the_queue_too_long./"));
    EXPECT_EQ(out.bounces.size(), 1U);
}

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

TEST_F(SenderTest, AFullChannelIsTriedAgain) {
    out.full = true;
    accept(birth, "s@x", {"joe@local.example"});
    EXPECT_TRUE(take_orders().empty());
    out.full = false;
    EXPECT_TRUE(take_orders().empty());
    sender->channel_writable(Channel::local);
    EXPECT_EQ(take_orders().size(), 1U);
}

TEST_F(SenderTest, ADeadHostDelaysNobody) {
    for (std::uint64_t i = 0; i < 500; ++i) accept(birth + i, "s@x", {"ann@dead.example"});
    std::size_t tried = 0;
    // Each delivery to the dead host times out; nobody else's mail waits for it.
    for (const auto& order : take_orders()) {
        ++tried;
        answer(order, Outcome::temporary, "connection timed out", true);
    }
    for (const auto& order : take_orders()) tried += order.host == "dead.example" ? 1 : 0;
    EXPECT_LE(tried, 5U);
    accept(birth + 1000, "s@x", {"joe@alive.example"});
    const auto orders = take_orders();
    ASSERT_EQ(orders.size(), 1U);
    EXPECT_EQ(orders[0].host, "alive.example");
    EXPECT_TRUE(sender->control({ControlVerb::why, birth + 400})
                    .text.find("back-off for 30 seconds: connection timed out") != std::string::npos);
    // One tries when the back-off ends; it lives; everything goes.
    pass(30);
    auto probe = take_orders();
    ASSERT_EQ(probe.size(), 1U);
    std::size_t delivered = 0;
    for (auto next = probe; !next.empty(); next = take_orders())
        for (const auto& order : next) {
            answer(order, Outcome::success);
            delivered += order.host == "dead.example" ? 1 : 0;
        }
    EXPECT_EQ(delivered, 500U - tried);
}

TEST_F(SenderTest, MailForADeadHostExpires) {
    lifetime = 2000;
    make();
    for (std::uint64_t i = 0; i < 10; ++i) accept(birth + i, "s@x", {"ann@dead.example"});
    for (int i = 0; i < 1000; ++i) {
        for (const auto& order : take_orders()) answer(order, Outcome::temporary, "no route", true);
        pass(10);
    }
    EXPECT_TRUE(out.records.empty());
    ASSERT_EQ(out.bounces.size(), 10U);
    for (const std::string& text : out.bounce_texts)
        EXPECT_NE(text.find("no route\nI'm not going to try again"), std::string::npos);
}

TEST_F(SenderTest, NewMailIsNotStarvedByOldMail) {
    std::vector<std::string> hosts = {"fresh.example"};
    for (int i = 0; i < 50; ++i) hosts.push_back("d" + std::to_string(i) + ".example");
    know(hosts);
    for (std::uint64_t i = 0; i < 2000; ++i)
        queue.put(birth - 100'000 * second + i, "s@x", {"u@d" + std::to_string(i % 50) + ".example"});
    sender->start_scan();
    while (sender->scan_step()) {
    }
    pass(600);
    auto running = take_orders();
    accept(birth + 5000, "s@x", {"new@fresh.example"});
    work();
    EXPECT_TRUE(out.orders.empty());
    // The very next place is the new one's.
    answer(running[0], Outcome::success);
    const auto orders = take_orders();
    ASSERT_EQ(orders.size(), 1U);
    EXPECT_EQ(orders[0].host, "fresh.example");
}

TEST_F(SenderTest, AThousandMessagesForOneHostDoNotDelayTheFewOfOthers) {
    // All were tried and wait: a flush makes them due at once, the crowd first.
    for (std::uint64_t i = 0; i < 1000; ++i) accept(birth + i, "s@x", {"u@crowd.example"});
    for (std::uint64_t i = 0; i < 30; ++i)
        accept(birth + 2000 + i, "s@x", {"u@d" + std::to_string(i % 10) + ".example"});
    for (auto orders = take_orders(); !orders.empty(); orders = take_orders())
        for (const auto& order : orders) answer(order, Outcome::temporary, "busy");
    sender->flush();
    std::size_t crowd = 0;
    std::size_t others = 0;
    for (auto orders = take_orders(); others < 30; orders = take_orders()) {
        ASSERT_FALSE(orders.empty());
        for (const auto& order : orders) {
            ++(order.host == "crowd.example" ? crowd : others);
            answer(order, Outcome::success);
        }
    }
    // Turn by turn there would be three of the crowd; until the others are found it may have what is free.
    EXPECT_LE(crowd, 100U);
}

TEST_F(SenderTest, FlushTriesEverythingNow) {
    accept(birth, "s@x", {"ann@dead.example"});
    accept(birth + 1, "s@x", {"bob@dead.example"});
    for (const auto& order : take_orders()) answer(order, Outcome::temporary, "no", true);
    EXPECT_TRUE(take_orders().empty());
    sender->flush();
    EXPECT_EQ(take_orders().size(), 1U);  // the first sees whether it lives
    EXPECT_TRUE(sender->control({ControlVerb::flush, 0}).ok);
}

TEST_F(SenderTest, AFlushReadsEachMessageOnceHoweverManyWaitForOneHost) {
    // More than the window takes: the rest waits for its turn.
    constexpr std::uint64_t count = 1500;
    std::vector<std::string> recipients;
    for (int i = 0; i < 20; ++i)
        recipients.push_back(std::string(900, 'r') + std::to_string(i) + "@far.example");
    for (std::uint64_t i = 0; i < count; ++i) accept(birth + i, "s@x", recipients);
    const auto go_on = [this](Outcome outcome) {
        std::size_t answers = 0;
        for (auto orders = take_orders(); !orders.empty(); orders = take_orders())
            for (const auto& order : orders) {
                answer(order, outcome, "busy");
                ++answers;
            }
        return answers;
    };
    const auto messages_read = [this] {
        const std::string text = sender->control({ControlVerb::stat, 0}).text;
        return std::stoull(text.substr(text.find("\nread ") + 6));
    };
    ASSERT_EQ(go_on(Outcome::temporary), count);
    const auto before = messages_read();
    sender->flush();
    EXPECT_EQ(go_on(Outcome::success), count);
    EXPECT_EQ(messages_read(), before + count);
}

TEST_F(SenderTest, HoldAndRelease) {
    accept(birth, "s@x", {"ann@far.example", "bob@far.example"});
    EXPECT_TRUE(sender->control({ControlVerb::hold, birth}).ok);
    EXPECT_TRUE(take_orders().empty());
    EXPECT_EQ(sender->control({ControlVerb::why, birth}).text,
              "held: it is tried when somebody releases it\n");
    EXPECT_FALSE(sender->control({ControlVerb::retry, birth}).ok);
    sender->flush();
    EXPECT_TRUE(take_orders().empty());
    // A restart keeps it held.
    make();
    sender->start_scan();
    while (sender->scan_step()) {
    }
    EXPECT_TRUE(take_orders().empty());
    EXPECT_TRUE(sender->control({ControlVerb::release, birth}).ok);
    EXPECT_EQ(take_orders().size(), 1U);
}

TEST_F(SenderTest, HoldWhileDelivering) {
    accept(birth, "s@x", {"ann@a.example", "bob@b.example"});
    const auto orders = take_orders();
    EXPECT_TRUE(sender->control({ControlVerb::hold, birth}).ok);
    answer(orders[0], Outcome::success);
    answer(orders[1], Outcome::temporary);
    EXPECT_EQ(queue.marks(birth), "DT");
    pass(100'000);
    EXPECT_TRUE(take_orders().empty());
    EXPECT_TRUE(sender->control({ControlVerb::release, birth}).ok);
    EXPECT_EQ(take_orders().size(), 1U);
}

TEST_F(SenderTest, RetryGoesThroughABackOff) {
    accept(birth, "s@x", {"ann@dead.example"});
    answer(take_orders().at(0), Outcome::temporary, "no", true);
    EXPECT_TRUE(sender->control({ControlVerb::retry, birth}).ok);
    EXPECT_EQ(take_orders().size(), 1U);
}

TEST_F(SenderTest, DeleteAndBounceOnRequest) {
    know({"far.example"});
    accept(birth, "s@x", {"ann@far.example"});
    accept(birth + 1, "s@x", {"bob@far.example", "carl@far.example"});
    accept(birth + 2, "s@x", {"dora@far.example"});
    const auto orders = take_orders();
    ASSERT_EQ(orders.size(), 3U);
    EXPECT_TRUE(sender->control({ControlVerb::remove, birth}).ok);
    EXPECT_FALSE(queue.has(birth));
    for (const auto& order : orders) answer(order, Outcome::temporary, "busy");
    EXPECT_TRUE(sender->control({ControlVerb::bounce, birth + 1}).ok);
    ASSERT_EQ(out.bounces, std::vector<queue::MessageId>{birth + 1});
    EXPECT_NE(out.bounce_texts[0].find("bob@far.example>:\nbusy\nThe postmaster of this host"),
              std::string::npos);
    EXPECT_NE(out.bounce_texts[0].find("carl@far.example>:\n"), std::string::npos);
    EXPECT_FALSE(sender->control({ControlVerb::remove, birth + 77}).ok);
}

TEST_F(SenderTest, WhyInWords) {
    accept(birth, "s@x", {"ann@far.example"});
    EXPECT_TRUE(sender->control({ControlVerb::why, birth}).text.starts_with("new: "));
    auto orders = take_orders();
    EXPECT_EQ(sender->control({ControlVerb::why, birth}).text, "1 recipient is being delivered to now\n");
    answer(orders[0], Outcome::temporary, "450 busy");
    const std::string text = sender->control({ControlVerb::why, birth}).text;
    EXPECT_TRUE(text.starts_with("next try in 6 minutes, at 14 Nov 2023 ")) << text;
    EXPECT_TRUE(text.substr(0, text.find('\n')).ends_with(" GMT")) << text;
    EXPECT_TRUE(text.find("tried once, last error: 450 busy") != std::string::npos) << text;
    EXPECT_TRUE(sender->control({ControlVerb::stat, 0}).text.find("\nwaiting 1\n") != std::string::npos);
}

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

TEST_F(SenderTest, NonsenseReportsHarmNobody) {
    sender->report(Channel::local, Report{99, {}, "", false, 0});
    accept(birth, "s@x", {"ann@far.example", "bob@far.example"});
    const auto orders = take_orders();
    sender->report(Channel::local,
                   Report{orders[0].delivery, {{Outcome::success, ""}}, "", false, 0});  // the wrong spawner
    EXPECT_EQ(queue.marks(birth), "TT");
    sender->report(Channel::remote,
                   Report{orders[0].delivery, {{Outcome::success, ""}}, "", false, 0});  // too short
    EXPECT_EQ(queue.marks(birth), "DT");
}

TEST_F(SenderTest, TooLongAddressesFailAtOnce) {
    accept(birth, "list-" + std::string(600, 'x') + "@lists.example-@[]",
           {std::string(600, 'y') + "@far.example"});
    EXPECT_TRUE(take_orders().empty());
    EXPECT_EQ(out.bounces.size(), 1U);
}

TEST_F(SenderTest, AWindowOfBoundedSizeDeliversEverything) {
    // Far more octets of envelope than the window takes, all for one slow destination, and one for another.
    std::vector<std::string> recipients;
    for (int i = 0; i < 1000; ++i)
        recipients.push_back(std::string(900, 'r') + std::to_string(i) + "@big.example");
    for (std::uint64_t i = 0; i < 60; ++i) accept(birth + i, "s@x", recipients);
    accept(birth + 100, "s@x", {"joe@small.example"});
    std::map<std::string, std::size_t> delivered;
    for (auto orders = take_orders(); !orders.empty(); orders = take_orders())
        for (const auto& order : orders) {
            answer(order, Outcome::success);
            delivered[order.host] += order.recipients.size();
        }
    EXPECT_EQ(delivered["big.example"], 60'000U);
    EXPECT_EQ(delivered["small.example"], 1U);
}

TEST_F(SenderTest, SharedServersShareTheBackOff) {
    accept(birth, "s@x", {"a@one.example"});
    accept(birth + 1, "s@x", {"a@two.example"});
    for (const auto& order : take_orders()) answer(order, Outcome::success, "ok", false, "mx.example");
    accept(birth + 2, "s@x", {"a@one.example"});
    answer(take_orders().at(0), Outcome::temporary, "no route", true, "mx.example");
    accept(birth + 3, "s@x", {"a@two.example"});
    EXPECT_TRUE(take_orders().empty());
    pass(30);
    EXPECT_EQ(take_orders().size(), 1U);
}

TEST_F(SenderTest, AnHonestMessageGoesOutThough25DomainsSayNothing) {
    for (std::uint64_t i = 0; i < 25; ++i)
        accept(birth + i, "", {"a@silent" + std::to_string(i) + ".example"});
    EXPECT_EQ(take_orders().size(), 10U);
    accept(birth + 100, "s@x", {"joe@honest.example"});
    // It is a stranger too, as on the first day.
    EXPECT_TRUE(take_orders().empty());
    know({"friend.example"});
    sender->start_scan();
    while (sender->scan_step()) {
    }
    EXPECT_EQ(take_orders().size(), 10U);
    accept(birth + 200, "s@x", {"joe@friend.example"});
    const auto orders = take_orders();
    ASSERT_EQ(orders.size(), 1U);
    EXPECT_EQ(orders[0].host, "friend.example");
}

TEST_F(SenderTest, ASuccessIsRememberedOverARestart) {
    for (std::uint64_t i = 0; i < 10; ++i) accept(birth + i, "s@x", {"ann@far.example"});
    auto orders = take_orders();
    ASSERT_EQ(orders.size(), 1U);
    EXPECT_TRUE(sender->control({ControlVerb::why, birth + 9}).text.find("has never taken a message") !=
                std::string::npos);
    answer(orders[0], Outcome::success);
    EXPECT_EQ(take_orders().size(), 5U);
    make();
    sender->start_scan();
    while (sender->scan_step()) {
    }
    EXPECT_EQ(take_orders().size(), 5U);
}

}  // namespace
}  // namespace relais::send
