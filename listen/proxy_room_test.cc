#include "listen/proxy_room.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <vector>

namespace relais::listen {
namespace {

class ProxyRoomTest : public testing::Test {
  protected:
    // The end of a proxy whose connection waits in the room.
    Fd enter(std::chrono::milliseconds patience = std::chrono::seconds(20)) {
        int ends[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
        room.add(Fd(ends[0]), {"192.0.2.1", 1234}, patience);
        return Fd(ends[1]);
    }
    static void say(const Fd& end, std::string_view text) {
        EXPECT_EQ(::write(end.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
    }
    // Runs until so many are in or out.
    void run() { loop.run(); }

    EventLoop loop;
    std::vector<ProxyRoom::Introduced> in;
    std::vector<std::string> wrong;
    ProxyRoom room{loop,
                   [this](ProxyRoom::Introduced introduced) {
                       in.push_back(std::move(introduced));
                       loop.stop();
                   },
                   [this](const net::Endpoint& proxy, std::string_view what) {
                       wrong.push_back(proxy.ip + " " + std::string(what));
                       loop.stop();
                   }};
};

TEST_F(ProxyRoomTest, TakesTheHeaderAndNothingOfTheClient) {
    const Fd end = enter();
    say(end, "PROXY TCP4 203.0.113.9 198.51.100.1 4711 25\r\nEHLO x\r\n");
    run();
    ASSERT_EQ(in.size(), 1U);
    EXPECT_EQ(in[0].client->client.text(), "203.0.113.9:4711");
    EXPECT_EQ(in[0].proxy.ip, "192.0.2.1");
    char buffer[100];
    EXPECT_EQ(
        std::string(buffer, static_cast<std::size_t>(::read(in[0].connection.get(), buffer, sizeof buffer))),
        "EHLO x\r\n");
    EXPECT_EQ(room.count(), 0U);
}

TEST_F(ProxyRoomTest, WaitsForTheRest) {
    const Fd end = enter();
    say(end, "PROXY UNK");
    loop.after(std::chrono::milliseconds(20), [&] { say(end, "NOWN\r\n"); });
    run();
    ASSERT_EQ(in.size(), 1U);
    EXPECT_FALSE(in[0].client);
}

TEST_F(ProxyRoomTest, SaysWhoIntroducesNobody) {
    const Fd wrong_end = enter();
    say(wrong_end, "EHLO x\r\n");
    run();
    const Fd silent_end = enter(std::chrono::milliseconds(1));
    run();
    EXPECT_EQ(wrong, (std::vector<std::string>{"192.0.2.1 there is no PROXY header",
                                               "192.0.2.1 no PROXY header came in time"}));
    enter();  // and leaves at once
    loop.after(std::chrono::milliseconds(20), [&] { loop.stop(); });
    run();
    EXPECT_EQ(room.count(), 0U);
    EXPECT_TRUE(in.empty());
    EXPECT_EQ(wrong.size(), 2U);
}

}  // namespace
}  // namespace relais::listen
