// Messages with very many recipients.
#include <map>
#include <set>

#include "base/text.h"
#include "send/sender_fixture.h"

namespace relais::send {
namespace {

constexpr int many = 12'000;

class SenderDistributeTest : public SenderTest {
  protected:
    // % stands for a number.
    static std::vector<std::string> many_of(const std::string& pattern, int count = many) {
        std::vector<std::string> all;
        const std::size_t at = pattern.find('%');
        for (int i = 0; i < count; ++i)
            all.push_back(pattern.substr(0, at) + std::to_string(i) + pattern.substr(at + 1));
        return all;
    }
    std::uint64_t figure(const std::string& name) {
        const std::string text = sender->control({ControlVerb::stat, 0}).text;
        for (const std::string_view line : split(text, '\n'))
            if (line.starts_with(name + " ")) return *parse_number(line.substr(name.size() + 1));
        ADD_FAILURE() << name;
        return 0;
    }
    // Answers everything until nothing is ordered any more.
    void deliver_all() {
        for (auto orders = take_orders(); !orders.empty(); orders = take_orders())
            for (const auto& order : orders) {
                ++orders_seen;
                for (const std::string& recipient : order.recipients) {
                    EXPECT_TRUE(delivered.insert(std::to_string(order.message) + recipient).second)
                        << recipient;
                }
                answer(order, Outcome::success);
            }
    }

    std::set<std::string> delivered;
    std::size_t orders_seen = 0;
};

TEST_F(SenderDistributeTest, DestinationsAreMadeWhenTheirTurnComes) {
    accept(birth, "s@x", many_of("u@d%.example"));
    work();
    EXPECT_LE(figure("destinations"), 8200U) << "one for each job that waits or runs";
    std::uint64_t most = 0;
    for (auto orders = take_orders(); !orders.empty(); orders = take_orders()) {
        if (delivered.size() % 500 < orders.size()) most = std::max(most, figure("destinations"));
        for (const auto& order : orders) {
            EXPECT_TRUE(delivered.insert(order.recipients.at(0)).second);
            answer(order, Outcome::success);
        }
    }
    EXPECT_EQ(delivered.size(), std::size_t{many});
    EXPECT_GT(most, 1000U) << "many may be tried at the same time";
    EXPECT_FALSE(queue.has(birth));
}

TEST_F(SenderDistributeTest, AHundredRecipientsOfOneDomainShareADelivery) {
    std::vector<std::string> recipients;
    for (int i = 0; i < many; ++i)
        recipients.push_back("u" + std::to_string(i) + (i % 2 == 0 ? "@One.example" : "@two.example"));
    accept(birth, "s@x", recipients);
    deliver_all();
    EXPECT_EQ(delivered.size(), std::size_t{many});
    EXPECT_EQ(orders_seen, std::size_t{many / 100});
    EXPECT_FALSE(queue.has(birth));
}

TEST_F(SenderDistributeTest, LocalRecipientsTakeTurnsToo) {
    accept(birth, "s@x", many_of("u%@virtual.example"));
    work();
    EXPECT_LE(figure("destinations"), 9000U);
    deliver_all();
    EXPECT_EQ(delivered.size(), std::size_t{many});
    EXPECT_FALSE(queue.has(birth));
}

TEST_F(SenderDistributeTest, AnotherUsersMailHasTheNextTurn) {
    accept(birth, "s@x", many_of("u@d%.example"));
    auto orders = take_orders();
    ASSERT_FALSE(orders.empty());
    accept(birth + 1, "s@x", {"ann@stranger.example"});
    for (int answered = 0;; ++answered) {
        ASSERT_LE(answered, 32) << "twice the jobs of a turn";
        answer(orders.at(static_cast<std::size_t>(answered)), Outcome::success);
        const auto next = take_orders();
        if (!next.empty() && next[0].message == birth + 1) break;
        orders.insert(orders.end(), next.begin(), next.end());
    }
}

TEST_F(SenderDistributeTest, LargeMessagesTakeTurns) {
    accept(birth, "s@x", many_of("u@a%.example"));
    work();
    accept(birth + 1, "s@x", many_of("u@b%.example"));
    std::map<queue::MessageId, int> seen;
    for (int i = 0; i < 2000; ++i)
        for (const auto& order : take_orders()) {
            ++seen[order.message];
            answer(order, Outcome::success);
        }
    EXPECT_GT(seen[birth], 0);
    EXPECT_GT(seen[birth + 1], 0);
    deliver_all();
    EXPECT_FALSE(queue.has(birth));
    EXPECT_FALSE(queue.has(birth + 1));
}

TEST_F(SenderDistributeTest, ADeadDomainIsTriedOnceAndHoldsUpNoOther) {
    std::vector<std::string> recipients = many_of("u%@dead.example");
    for (const std::string& other : many_of("u@d%.example", 200)) recipients.push_back(other);
    accept(birth, "s@x", recipients);
    std::size_t tried = 0;
    std::size_t others = 0;
    for (auto orders = take_orders(); !orders.empty(); orders = take_orders())
        for (const auto& order : orders) {
            const bool dead = order.host == "dead.example";
            ++(dead ? tried : others);
            answer(order, dead ? Outcome::temporary : Outcome::success, "no route", dead);
        }
    EXPECT_EQ(tried, 1U);
    EXPECT_EQ(others, 200U);
    EXPECT_EQ(figure("loaded"), 0U);
    pass(3600);
    deliver_all();
    EXPECT_EQ(delivered.size(), std::size_t{many});
    EXPECT_FALSE(queue.has(birth));
}

TEST_F(SenderDistributeTest, WhatIsHeldIsNotPlannedAnyMore) {
    accept(birth, "s@x", many_of("u@d%.example"));
    const auto running = take_orders();
    ASSERT_TRUE(sender->control({ControlVerb::hold, birth}).ok);
    for (const auto& order : running) answer(order, Outcome::success);
    EXPECT_TRUE(take_orders().empty());
    EXPECT_EQ(figure("held"), 1U);
    ASSERT_TRUE(sender->control({ControlVerb::release, birth}).ok);
    deliver_all();
    EXPECT_EQ(delivered.size(), many - running.size());
    EXPECT_FALSE(queue.has(birth));
}

TEST_F(SenderDistributeTest, WhatIsPlannedCanBeBounced) {
    accept(birth, "s@x", many_of("u@d%.example", 1000));
    for (const auto& order : take_orders()) answer(order, Outcome::success);
    ASSERT_TRUE(sender->control({ControlVerb::bounce, birth}).ok);
    for (const auto& order : std::exchange(out.orders, {})) answer(order, Outcome::success);
    EXPECT_TRUE(take_orders().empty());
    EXPECT_EQ(out.bounces.size(), 1U);
}

TEST_F(SenderDistributeTest, AHugeMessageLeavesTheWindowToOthersAndWaitsForAnotherHugeOne) {
    // Two of 23 MB: beside the first there is no room for the second.
    const std::vector<std::string> recipients = many_of(std::string(900, 'r') + "%@big.example", 25'000);
    accept(birth, "s@x", recipients);
    work();
    accept(birth + 1, "s@x", recipients);
    accept(birth + 2, "s@x", {"ann@small.example"});
    work();
    EXPECT_NE(sender->control({ControlVerb::why, birth + 1}).text.find("very many recipients"),
              std::string::npos);
    ASSERT_TRUE(sender->control({ControlVerb::retry, birth + 1}).ok) << "it goes on waiting, and is not lost";
    bool small_first = false;
    for (auto orders = take_orders(); !orders.empty(); orders = take_orders()) {
        EXPECT_LT(figure("window-octets"), std::uint64_t{1} << 20);
        for (const auto& order : orders) {
            if (order.message == birth + 2) small_first = queue.has(birth) && queue.has(birth + 1);
            EXPECT_TRUE(order.message != birth + 1 || !queue.has(birth));
            answer(order, Outcome::success);
        }
    }
    EXPECT_TRUE(small_first);
    for (queue::MessageId id = birth; id < birth + 3; ++id) EXPECT_FALSE(queue.has(id));
}

}  // namespace
}  // namespace relais::send
