#include <fmt/core.h>
#include <gtest/gtest.h>

#include "send/sender_fixture.h"

namespace relais::send {

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

TEST_F(SenderTest, ADeliveryIsCutByEachOfItsNumbers) {
    know({"far.example"});
    accept(birth, "s@x", {"ann@far.example", "bob@far.example", "x@local.example"});
    const auto orders = take_orders();
    ASSERT_EQ(orders.size(), 2U);
    const auto& remote = orders[orders[0].channel == Channel::remote ? 0 : 1];
    const auto cut = [this](std::uint64_t number) { return sender->control({ControlVerb::cut, number}); };
    const ControlAnswer answer = cut(remote.delivery + 1);
    EXPECT_TRUE(answer.ok);
    EXPECT_TRUE(answer.text.starts_with(
        fmt::format("delivery {}: msg {} to remote far.example for ann@far.example and 1 more, since ",
                    remote.delivery, birth)))
        << answer.text;
    const std::vector<std::pair<unsigned, std::uint64_t>> once = {{0, remote.delivery}};
    EXPECT_EQ(out.cuts, once);
    EXPECT_FALSE(cut(remote.delivery + 3).ok);
    EXPECT_EQ(cut(77).text, "no delivery 77 is under way");
    this->answer(remote, Outcome::temporary, std::string(cut_text));
    EXPECT_FALSE(cut(remote.delivery).ok) << "it has ended";
    EXPECT_TRUE(sender->control({ControlVerb::why, birth}).text.find("next try in ") != std::string::npos ||
                queue.marks(birth) == "TTT");
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

namespace {

constexpr std::uint64_t two_weeks = 14 * 86400;

mail::EnvelopeOptions held_of(mail::Submitter::Kind kind) {
    mail::EnvelopeOptions options;
    options.hold = true;
    options.submitter.kind = kind;
    return options;
}

// A message that a decision has held, as qmail-queued writes it.
void put_held(TestQueue& queue, queue::MessageId id, mail::Submitter::Kind kind) {
    queue.put_envelope(id, "s@x", {"ann@far.example"}, queue::Origin::network, held_of(kind), {});
    queue::StoredMessage message;
    ASSERT_EQ(queue.store().load(id, message, false), queue::Load::whole);
    message.status.hold = true;
    queue.store().write_status(message);
}

}  // namespace

TEST_F(SenderTest, WhatWasHeldOfStrangersEndsWithoutABounce) {
    hold_lifetime = two_weeks;
    make();
    put_held(queue, birth, mail::Submitter::Kind::stranger);
    put_held(queue, birth + 1, mail::Submitter::Kind::login);
    put_held(queue, birth + 2, mail::Submitter::Kind::stranger);
    for (const queue::MessageId id : {birth, birth + 1, birth + 2}) sender->hint(id);
    accept(birth + 3, "s@x", {"ann@far.example"});
    EXPECT_TRUE(sender->control({ControlVerb::hold, birth + 3}).ok);
    work();
    EXPECT_NE(sender->control({ControlVerb::why, birth}).text.find("it ends without a bounce at "),
              std::string::npos);
    EXPECT_EQ(sender->control({ControlVerb::why, birth + 1}).text,
              "held: it is tried when somebody releases it\n");
    EXPECT_TRUE(sender->control({ControlVerb::release, birth + 2}).ok);
    EXPECT_EQ(take_orders().size(), 1U);
    pass(two_weeks - 60);
    work();
    EXPECT_EQ(queue.marks(birth), "T");
    pass(120);
    work();
    EXPECT_EQ(queue.marks(birth), "?");
    for (const queue::MessageId id : {birth + 1, birth + 2, birth + 3}) EXPECT_EQ(queue.marks(id), "T");
    EXPECT_TRUE(out.bounces.empty());
    EXPECT_TRUE(
        out.logged(fmt::format("warning: msg {} was held for 14 days, and ends without a bounce", birth)));
}

TEST_F(SenderTest, WhatWasHeldOfStrangersEndsAfterARestartToo) {
    put_held(queue, birth, mail::Submitter::Kind::stranger);
    sender->hint(birth);
    work();
    pass(two_weeks * 2);
    work();
    EXPECT_EQ(queue.marks(birth), "T");  // without the file as ever
    hold_lifetime = two_weeks;
    make();
    sender->start_scan();
    while (sender->scan_step()) {
    }
    pass(86400);  // what was there before is read little by little
    work();
    pass(61);
    work();
    EXPECT_EQ(queue.marks(birth), "?");
}

TEST_F(SenderTest, AQuarantinedMessageThatIsHeldByHandStays) {
    hold_lifetime = two_weeks;
    make();
    put_held(queue, birth, mail::Submitter::Kind::stranger);      // held by hand as it is
    put_held(queue, birth + 1, mail::Submitter::Kind::stranger);  // released, deferred, held by hand
    put_held(queue, birth + 2, mail::Submitter::Kind::stranger);  // released, and held while it is tried
    for (const queue::MessageId id : {birth, birth + 1, birth + 2}) sender->hint(id);
    work();
    EXPECT_TRUE(sender->control({ControlVerb::hold, birth}).ok);
    EXPECT_TRUE(sender->control({ControlVerb::release, birth + 1}).ok);
    answer(take_orders().at(0), Outcome::temporary, "busy");
    EXPECT_TRUE(sender->control({ControlVerb::hold, birth + 1}).ok);
    EXPECT_TRUE(sender->control({ControlVerb::release, birth + 2}).ok);
    const auto order = take_orders().at(0);
    EXPECT_TRUE(sender->control({ControlVerb::hold, birth + 2}).ok);
    answer(order, Outcome::temporary, "busy");
    for (const bool restart : {false, true}) {
        if (restart) {
            make();
            sender->start_scan();
            while (sender->scan_step()) {
            }
        }
        pass(two_weeks * 2);
        work();
        pass(61);
        work();
        for (const queue::MessageId id : {birth, birth + 1, birth + 2}) {
            EXPECT_EQ(queue.marks(id), "T") << id - birth;
            EXPECT_EQ(sender->control({ControlVerb::why, id}).text,
                      "held: it is tried when somebody releases it\n");
        }
    }
}

TEST_F(SenderTest, WhatHasFailedIsOwedABounceThoughItIsHeld) {
    hold_lifetime = two_weeks;
    make();
    for (const queue::MessageId id : {birth, birth + 1}) put_held(queue, id, mail::Submitter::Kind::stranger);
    queue::StoredMessage message;
    ASSERT_EQ(queue.store().load(birth, message, false), queue::Load::whole);
    queue.store().mark(birth, message.envelope.recipients[0], queue::Mark::failed, false);
    queue.store().append_bounce(birth + 1, "<ann@far.example>:\nno\n\n");
    sender->start_scan();
    while (sender->scan_step()) {
    }
    pass(two_weeks * 2);
    work();
    pass(61);
    work();
    EXPECT_EQ(queue.marks(birth), "F");
    EXPECT_EQ(queue.marks(birth + 1), "T");
}

}  // namespace relais::send
