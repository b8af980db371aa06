#include "send/sender_fixture.h"

namespace relais::send {
namespace {

class TurnTest : public SenderTest {
  protected:
    void take_turn(const std::string& domain) {
        sender->turn(domain);
        while (sender->turn_step()) {
        }
    }
    // A message that has been tried once, and waits.
    void defer(queue::MessageId id, const std::vector<std::string>& to, bool unreachable = false) {
        accept(id, "a@x.test", to);
        for (const TestOutlets::Order& order : take_orders())
            answer(order, Outcome::temporary, "text", unreachable);
        work();
    }
    std::vector<queue::MessageId> tried() {
        std::vector<queue::MessageId> ids;
        for (const TestOutlets::Order& order : take_orders()) ids.push_back(order.message);
        return ids;
    }
};

TEST_F(TurnTest, WhatWaitsForTheDomainIsTriedAndNothingElse) {
    know({"customer.test", "other.test"});
    defer(birth, {"b@customer.test"});
    defer(birth + 1, {"b@other.test"});
    defer(birth + 2, {"b@other.test", "c@Customer.test"});
    EXPECT_EQ(tried(), std::vector<queue::MessageId>{});
    take_turn("customer.test");
    auto ids = tried();
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    EXPECT_EQ(ids, (std::vector<queue::MessageId>{birth, birth + 2}));
}

TEST_F(TurnTest, ABackOffEnds) {
    defer(birth, {"b@customer.test"}, true);
    accept(birth + 1, "a@x.test", {"c@customer.test"});
    EXPECT_EQ(tried(), std::vector<queue::MessageId>{});
    take_turn("customer.test");
    EXPECT_FALSE(tried().empty());
}

TEST_F(TurnTest, AfterARestartMessagesAreReadForIt) {
    defer(birth, {"b@customer.test"});
    defer(birth + 1, {"b@other.test"});
    make();
    sender->start_scan();
    while (sender->scan_step()) {
    }
    // Both may be due by chance: what is asked is that one is.
    take_turn("customer.test");
    const auto ids = tried();
    EXPECT_NE(std::find(ids.begin(), ids.end(), birth), ids.end());
}

TEST_F(TurnTest, HeldMailStays) {
    defer(birth, {"b@customer.test"});
    sender->control({ControlVerb::hold, birth});
    take_turn("customer.test");
    EXPECT_EQ(tried(), std::vector<queue::MessageId>{});
}

}  // namespace
}  // namespace relais::send
