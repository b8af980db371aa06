#include "listen/waiting_room.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>

namespace relais::listen {
namespace {

class WaitingRoomTest : public testing::Test {
  protected:
    std::pair<Fd, Fd> pair() {
        std::array<int, 2> ends{};
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
        return {Fd(ends[0]), Fd(ends[1])};
    }
    WaitingRoom::Handler note(std::string what) {
        return [this, what](WaitingRoom::Client client) {
            happened += what + client.visitor.peer.ip + " ";
            served = std::move(client.connection);
            loop.stop();
        };
    }
    WaitingRoom::Client client(Fd connection, const std::string& ip) {
        return {std::move(connection), Visitor{{ip, 1}, {"192.0.2.25", 25}}};
    }

    EventLoop loop;
    std::string happened;
    Fd served;
    WaitingRoom room{loop, note("speaks "), note("left "), note("silent ")};
};

TEST_F(WaitingRoomTest, WhoSpeaksIsTakenWithAllThatItSaid) {
    auto [here, there] = pair();
    room.add(client(std::move(here), "a"), Seconds(1000));
    ASSERT_EQ(::send(there.get(), "NOOP\r\n", 6, 0), 6);
    there.reset();
    loop.run();
    EXPECT_EQ(happened, "speaks a ");
    char octets[10];
    EXPECT_EQ(::recv(served.get(), octets, sizeof octets, 0), 6);
    EXPECT_EQ(room.count(), 0U);
}

TEST_F(WaitingRoomTest, WhoLeavesCostsNothing) {
    auto [here, there] = pair();
    room.add(client(std::move(here), "a"), Seconds(1000));
    there.reset();
    loop.run();
    EXPECT_EQ(happened, "left a ");
}

TEST_F(WaitingRoomTest, TheTimeOfTheSilentEnds) {
    auto [here, there] = pair();
    auto [other_here, other_there] = pair();
    room.add(client(std::move(here), "a"), Seconds(1000));
    room.add(client(std::move(other_here), "b"), std::chrono::milliseconds(1));
    loop.run();
    EXPECT_EQ(happened, "silent b ");
    EXPECT_EQ(room.count(), 1U);
    room.shorten(Seconds(1000));
    EXPECT_EQ(room.count(), 1U);
    room.shorten(Seconds(0));
    EXPECT_EQ(happened, "silent b silent a ");
}

TEST_F(WaitingRoomTest, TheyCanBeTakenOutAtTheEnd) {
    auto [here, there] = pair();
    room.add(client(std::move(here), "a"), Seconds(1000));
    EXPECT_EQ(room.take_any().visitor.peer.ip, "a");
    EXPECT_EQ(room.count(), 0U);
}

}  // namespace
}  // namespace relais::listen
