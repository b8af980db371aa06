#include "keyd/ticket_keys.h"

#include <gtest/gtest.h>

#include <cstring>

namespace relais::keyd {
namespace {

std::string_view name_of(const Ticket& ticket) {
    return {reinterpret_cast<const char*>(ticket.name.data()), ticket.name.size()};
}

TEST(TicketKeys, EachTicketHasItsOwnKey) {
    const Clock::time_point now = Clock::now();
    TicketKeys keys(Seconds(100), now);
    const Ticket one = keys.make(now);
    const Ticket other = keys.make(now);
    EXPECT_NE(one.name, other.name);
    EXPECT_NE(one.key, other.key);
    EXPECT_NE(0, std::memcmp(one.key.data(), one.key.data() + 32, 32));
    const TicketAnswer found = keys.find(name_of(one), now);
    EXPECT_EQ(found.state, TicketState::good);
    EXPECT_EQ(found.key, one.key);
    EXPECT_NE(found.fresh.name, one.name);
}

TEST(TicketKeys, RotatesAndForgets) {
    const Clock::time_point now = Clock::now();
    TicketKeys keys(Seconds(100), now);
    const Ticket ticket = keys.make(now);
    EXPECT_EQ(keys.find(name_of(ticket), now + Seconds(99)).state, TicketState::good);
    const TicketAnswer later = keys.find(name_of(ticket), now + Seconds(101));
    EXPECT_EQ(later.state, TicketState::renew);
    EXPECT_EQ(later.key, ticket.key);
    EXPECT_EQ(keys.find(name_of(ticket), now + Seconds(202)).state, TicketState::renew);
    EXPECT_EQ(keys.find(name_of(ticket), now + Seconds(303)).state, TicketState::unknown);
}

TEST(TicketKeys, ALongPauseForgetsEverything) {
    const Clock::time_point now = Clock::now();
    TicketKeys keys(Seconds(100), now);
    const Ticket ticket = keys.make(now);
    EXPECT_EQ(keys.find(name_of(ticket), now + Seconds(100000)).state, TicketState::unknown);
}

TEST(TicketKeys, AnotherProcessKnowsNoneOfThem) {
    const Clock::time_point now = Clock::now();
    TicketKeys keys(Seconds(100), now);
    TicketKeys others(Seconds(100), now);
    const TicketAnswer answer = others.find(name_of(keys.make(now)), now);
    EXPECT_EQ(answer.state, TicketState::unknown);
    EXPECT_EQ(answer.key, (std::array<unsigned char, ticket_key_size>{}));
}

}  // namespace
}  // namespace relais::keyd
