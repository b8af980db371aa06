#include <gtest/gtest.h>

#include "send/sender_fixture.h"

namespace relais::send {
namespace {

constexpr std::int64_t hour = 3600;
constexpr std::int64_t birth_second = birth / second;

}  // namespace

// A message with that said of it beside its addresses.
class TimedTest : public SenderTest {
  protected:
    void accept_timed(queue::MessageId id, const mail::EnvelopeOptions& options,
                      const mail::RecipientOptions& recipient = {},
                      const std::string& to = "ann@far.example") {
        mail::EnvelopeOptions all = options;
        all.submitter = {mail::Submitter::Kind::login, "s@x"};
        queue.put_envelope(id, "s@x", {to}, queue::Origin::network, all, recipient);
        sender->hint(id);
    }
    void accept_later(queue::MessageId id, std::int64_t seconds) {
        mail::EnvelopeOptions options;
        options.release = birth_second + seconds;
        accept_timed(id, options, {}, "ann@" + std::to_string(id) + ".example");
    }
    void restart() {
        make();
        sender->start_scan();
        while (sender->scan_step()) {
        }
    }
    std::string why() { return sender->control({ControlVerb::why, birth}).text; }
};

TEST_F(TimedTest, IsTriedAtItsTimeAndNotBefore) {
    accept_later(birth, hour);
    EXPECT_TRUE(take_orders().empty());
    EXPECT_EQ(why().substr(0, 39), "released at 14 Nov 2023 23:13:20 GMT, a");
    EXPECT_LE(sender->seconds_to_next(), 60U);
    sender->flush();
    EXPECT_TRUE(take_orders().empty());
    pass(hour - 1);
    EXPECT_TRUE(take_orders().empty());
    EXPECT_EQ(sender->seconds_to_next(), 1U);
    pass(1);
    EXPECT_EQ(take_orders().size(), 1U);
}

TEST_F(TimedTest, ARestartKeepsIt) {
    accept_later(birth, 10 * hour);
    EXPECT_TRUE(take_orders().empty());
    pass(hour);
    restart();
    pass(700);
    EXPECT_TRUE(take_orders().empty());
    pass(9 * hour);
    EXPECT_EQ(take_orders().size(), 1U);
}

TEST_F(TimedTest, AnAdministratorSendsItAtOnce) {
    for (const ControlVerb verb : {ControlVerb::retry, ControlVerb::release}) {
        const queue::MessageId id = birth + static_cast<std::uint64_t>(verb);
        accept_later(id, 240 * hour);
        EXPECT_TRUE(take_orders().empty());
        EXPECT_TRUE(sender->control({verb, id}).ok);
        const auto orders = take_orders();
        ASSERT_EQ(orders.size(), 1U);
        answer(orders[0], Outcome::temporary);
        work();
    }
    // From now on it goes by the schedule, also after a restart.
    pass(401);
    EXPECT_EQ(take_orders().size(), 2U);
    restart();
    pass(401);
    EXPECT_EQ(take_orders().size(), 2U);
}

TEST_F(TimedTest, AnAdministratorSendsItBeforeItWasRead) {
    accept_later(birth, 240 * hour);
    EXPECT_TRUE(sender->control({ControlVerb::retry, birth}).ok);
    EXPECT_EQ(take_orders().size(), 1U);
}

TEST_F(TimedTest, OneThatIsHeldAsWellWaitsForBoth) {
    accept_later(birth, hour);
    EXPECT_TRUE(take_orders().empty());
    EXPECT_TRUE(sender->control({ControlVerb::hold, birth}).ok);
    pass(hour);
    EXPECT_TRUE(take_orders().empty());
    EXPECT_TRUE(sender->control({ControlVerb::release, birth}).ok);
    EXPECT_EQ(take_orders().size(), 1U);

    accept_later(birth + 1, 3 * hour);
    EXPECT_TRUE(take_orders().empty());
    EXPECT_TRUE(sender->control({ControlVerb::hold, birth + 1}).ok);
    EXPECT_TRUE(sender->control({ControlVerb::release, birth + 1}).ok);
    EXPECT_TRUE(take_orders().empty());
    pass(3 * hour);
    EXPECT_EQ(take_orders().size(), 1U);
}

TEST_F(TimedTest, ItsLifeCountsFromItsRelease) {
    lifetime = 10 * hour;
    delay_warning = hour;
    make();
    accept_later(birth, 100 * hour);
    work();
    pass(100 * hour);
    auto orders = take_orders();
    ASSERT_EQ(orders.size(), 1U);
    answer(orders[0], Outcome::temporary);
    work();
    EXPECT_TRUE(out.bounces.empty());
    EXPECT_TRUE(out.reports.empty());
    pass(400);
    orders = take_orders();
    ASSERT_EQ(orders.size(), 1U);
    pass(10 * hour);
    answer(orders[0], Outcome::temporary);
    work();
    ASSERT_EQ(out.reports.size(), 1U);
    EXPECT_EQ(out.reports[0].kind, ReportKind::delay);
    sender->flush();
    orders = take_orders();
    ASSERT_EQ(orders.size(), 1U);
    answer(orders[0], Outcome::temporary);
    work();
    EXPECT_EQ(out.bounces.size(), 1U);
}

TEST_F(TimedTest, WhatIsNotDeliveredInTimeGoesBack) {
    mail::EnvelopeOptions options;
    options.deliver_by = mail::DeliverBy{birth_second + hour, true, false};
    accept_timed(birth, options);
    for (const auto& order : take_orders()) answer(order, Outcome::temporary, "busy");
    work();
    pass(hour - 5);
    for (const auto& order : take_orders()) answer(order, Outcome::temporary, "busy", true);
    work();
    EXPECT_TRUE(out.bounces.empty());
    pass(5);
    work();
    EXPECT_EQ(out.bounces.size(), 1U);
    EXPECT_NE(out.bounce_texts.at(0).find("busy\nIt was to be delivered by 14 Nov 2023 23:13:20 GMT"),
              std::string::npos);
    EXPECT_TRUE(take_orders().empty());
}

TEST_F(TimedTest, WhatIsHeldDoesNotGoBackWhileSomethingOfItRuns) {
    mail::EnvelopeOptions options;
    options.deliver_by = mail::DeliverBy{birth_second + hour, true, false};
    options.submitter = {mail::Submitter::Kind::login, "s@x"};
    queue.put_envelope(birth, "s@x", {"ann@local.example", "bob@local.example"}, queue::Origin::network,
                       options, {});
    sender->hint(birth);
    const auto orders = take_orders();
    ASSERT_EQ(orders.size(), 2U);
    answer(orders[0], Outcome::temporary, "busy");
    EXPECT_TRUE(sender->control({ControlVerb::hold, birth}).ok);
    pass(hour + 1);
    work();
    EXPECT_TRUE(out.bounces.empty());
    answer(orders[1], Outcome::success);
    work();
    EXPECT_TRUE(out.bounces.empty());
    EXPECT_TRUE(sender->control({ControlVerb::release, birth}).ok);
    work();
    EXPECT_EQ(out.bounces.size(), 1U);
}

TEST_F(TimedTest, WhatIsDoneHasNoAlarm) {
    mail::EnvelopeOptions options;
    options.deliver_by = mail::DeliverBy{birth_second + 5, false, false};
    accept_timed(birth, options, {}, "ann@local.example");
    const auto orders = take_orders();
    ASSERT_EQ(orders.size(), 1U);
    EXPECT_LE(sender->seconds_to_next(), 5U);
    answer(orders[0], Outcome::success);
    work();
    EXPECT_GT(sender->seconds_to_next(), 5U);
}

TEST_F(TimedTest, ABounceWaitsForNoRelease) {
    accept_later(birth, 240 * hour);
    EXPECT_TRUE(take_orders().empty());
    queue::StoredMessage message;
    ASSERT_EQ(queue.store().load(birth, message, true), queue::Load::whole);
    queue.store().append_bounce(birth, "<ann@far.example>:\nended by hand\n\n");
    queue.store().mark(birth, message.envelope.recipients[0], queue::Mark::failed, true);
    restart();
    pass(700);
    work();
    EXPECT_EQ(out.bounces.size(), 1U);
}

TEST_F(TimedTest, WhatIsUnderWayInTimeIsDelivered) {
    mail::EnvelopeOptions options;
    options.deliver_by = mail::DeliverBy{birth_second + hour, true, false};
    accept_timed(birth, options);
    accept_timed(birth + 1, options, {}, "bob@other.example");
    const auto orders = take_orders();
    ASSERT_EQ(orders.size(), 2U);
    pass(hour + 1);
    work();
    answer(orders[0], Outcome::success);
    answer(orders[1], Outcome::temporary, "busy");
    work();
    ASSERT_EQ(out.bounces.size(), 1U);
    EXPECT_EQ(out.bounces[0], orders[1].message);
}

TEST_F(TimedTest, WhatIsOverdueAfterARestartGoesBackUntried) {
    mail::EnvelopeOptions options;
    options.deliver_by = mail::DeliverBy{birth_second + hour, true, false};
    accept_timed(birth, options);
    for (const auto& order : take_orders()) answer(order, Outcome::temporary, "busy");
    pass(2 * hour);
    restart();
    pass(700);
    EXPECT_TRUE(take_orders().empty());
    EXPECT_EQ(out.bounces.size(), 1U);
}

TEST_F(TimedTest, OfWhatIsLateAndGoesOnTheSenderIsToldOnce) {
    delay_warning = 100 * hour;
    make();
    mail::EnvelopeOptions options;
    options.deliver_by = mail::DeliverBy{birth_second + hour, false, false};
    mail::RecipientOptions silent;
    silent.notify.never = true;
    accept_timed(birth, options);
    accept_timed(birth + 1, options, silent, "bob@other.example");
    for (int tries = 0; tries < 8; ++tries) {
        for (const auto& order : take_orders()) answer(order, Outcome::temporary, "busy");
        work();
        if (tries == 1) {
            EXPECT_TRUE(out.reports.empty());
        }
        pass(hour / 2);
    }
    ASSERT_EQ(out.reports.size(), 1U);
    EXPECT_EQ(out.reports[0].id, birth);
    EXPECT_EQ(out.reports[0].kind, ReportKind::delay);
    EXPECT_TRUE(out.bounces.empty());
}

TEST_F(TimedTest, ItsSenderIsToldWhereNobodyWatchesTheTime) {
    mail::EnvelopeOptions options;
    options.deliver_by = mail::DeliverBy{birth_second + hour, false, false};
    accept_timed(birth, options);
    accept_timed(birth + 1, options, {}, "bob@local.example");
    for (const auto& order : take_orders()) answer(order, Outcome::success);
    work();
    ASSERT_EQ(out.reports.size(), 1U);
    EXPECT_EQ(out.reports[0].id, birth);
    EXPECT_EQ(out.reports[0].kind, ReportKind::success);
}

TEST_F(TimedTest, WhatIsUrgentGoesFirst) {
    remote_concurrency = 2;
    make();
    mail::EnvelopeOptions usual;
    mail::EnvelopeOptions urgent;
    urgent.priority = 5;
    mail::EnvelopeOptions bulk;
    bulk.priority = -5;
    accept_timed(birth, usual, {}, "first@far.example");
    const auto first = take_orders();
    ASSERT_EQ(first.size(), 1U);
    accept_timed(birth + 1, bulk, {}, "bulk@far.example");
    accept_timed(birth + 2, usual, {}, "usual@far.example");
    accept_timed(birth + 3, urgent, {}, "urgent@far.example");
    work();
    std::vector<std::string> order{};
    answer(first[0], Outcome::success);
    for (auto orders = take_orders(); !orders.empty(); orders = take_orders())
        for (const auto& each : orders) {
            order.push_back(each.recipients[0]);
            answer(each, Outcome::success);
        }
    EXPECT_EQ(order,
              (std::vector<std::string>{"urgent@far.example", "usual@far.example", "bulk@far.example"}));
}

TEST_F(TimedTest, WhatIsUrgentIsNotParkedBehindOthers) {
    mail::EnvelopeOptions urgent;
    urgent.priority = 1;
    accept_timed(birth, {}, {}, "a@dead.example");
    for (const auto& order : take_orders()) answer(order, Outcome::temporary, "no", true);
    for (std::uint64_t i = 1; i < 20; ++i) accept_timed(birth + i, {}, {}, "a@dead.example");
    accept_timed(birth + 20, urgent, {}, "urgent@dead.example");
    work();
    pass(31);
    auto orders = take_orders();
    ASSERT_EQ(orders.size(), 1U);
    answer(orders[0], Outcome::success);
    orders = take_orders();
    bool found = false;
    for (int i = 0; i < 3 && !found; ++i) {
        for (const auto& order : orders) {
            found = found || order.recipients[0] == "urgent@dead.example";
            answer(order, Outcome::success);
        }
        pass(6);
        orders = take_orders();
    }
    EXPECT_TRUE(found);
}

}  // namespace relais::send
