#include <gtest/gtest.h>

#include <map>

#include "send/sender_fixture.h"

namespace relais::send {

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

}  // namespace relais::send
