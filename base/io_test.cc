#include "base/io.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/event_loop.h"
#include "base/unix_socket.h"

namespace relais {

TEST(Reader, TakesLinesAndKeepsWhatFollows) {
    Pipe pipe = make_pipe();
    write_all(pipe.write.get(), "HELO a\r\nMAIL\nrest", Deadline::never());
    pipe.write.reset();
    Reader reader(pipe.read.get());
    std::string line;
    EXPECT_EQ(reader.read_line(line, 100, Deadline::never()), Reader::Line::complete);
    EXPECT_EQ(line, "HELO a\r");
    EXPECT_TRUE(reader.has_buffered());
    EXPECT_EQ(reader.read_line(line, 100, Deadline::never()), Reader::Line::complete);
    EXPECT_EQ(line, "MAIL");
    EXPECT_EQ(reader.read_line(line, 100, Deadline::never()), Reader::Line::ended);
    EXPECT_EQ(line, "rest");
}

TEST(Reader, SkipsTheRestOfAnOverlongLine) {
    Pipe pipe = make_pipe();
    write_all(pipe.write.get(), std::string(40000, 'x') + "\nnext\n", Deadline::never());
    Reader reader(pipe.read.get());
    std::string line;
    EXPECT_EQ(reader.read_line(line, 1000, Deadline::never()), Reader::Line::too_long);
    EXPECT_EQ(reader.read_line(line, 1000, Deadline::never()), Reader::Line::complete);
    EXPECT_EQ(line, "next");
}

TEST(Io, ASilentPeerTimesOut) {
    Pipe pipe = make_pipe();
    char c = 0;
    try {
        read_some(pipe.read.get(), std::span(&c, 1), Deadline::in(std::chrono::milliseconds(20)));
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.number(), ETIMEDOUT);
    }
}

TEST(UnixSocket, PassesADescriptorWithAPacket) {
    auto [a, b] = make_packet_pair();
    Pipe pipe = make_pipe();
    ASSERT_TRUE(send_packet(a.get(), "order", pipe.write.get()));
    auto packet = receive_packet(b.get(), 100);
    ASSERT_TRUE(packet);
    EXPECT_EQ(packet->data, "order");
    write_all(packet->passed.get(), "x", Deadline::never());
    char c = 0;
    EXPECT_EQ(read_some(pipe.read.get(), std::span(&c, 1), Deadline::never()), 1u);
    a.reset();
    EXPECT_FALSE(receive_packet(b.get(), 100));
}

// Clients that come while the server starts must not be refused.
TEST(UnixSocket, AListenerIsReadyAsSoonAsItIsThere) {
    const std::string path = ::testing::TempDir() + "/listener." + std::to_string(::getpid());
    std::atomic<bool> ended = false;
    std::atomic<int> refused = 0;
    std::atomic<int> connected = 0;
    std::thread client([&] {
        while (!ended) {
            try {
                connect_unix(path, Deadline::in(Seconds(5)));
                ++connected;
            } catch (const Error& error) {
                if (error.number() == ECONNREFUSED) ++refused;
            }
        }
    });
    // All stay open: who found an earlier one by its name must not meet its end.
    std::vector<Fd> listeners;
    for (int round = 0; round < 200; ++round)
        listeners.push_back(listen_unix(path, 0600, static_cast<uid_t>(-1), static_cast<gid_t>(-1)));
    const Deadline patience = Deadline::in(Seconds(20));
    while (connected == 0 && !patience.passed()) std::this_thread::yield();
    ended = true;
    client.join();
    ::unlink(path.c_str());
    EXPECT_EQ(refused, 0);
    EXPECT_GT(connected, 0);
}

TEST(UnixSocket, RefusesAPacketAboveItsLimit) {
    auto [a, b] = make_packet_pair();
    ASSERT_TRUE(send_packet(a.get(), "0123456789"));
    EXPECT_THROW(receive_packet(b.get(), 5), Error);
}

TEST(EventLoop, RunsTimersInOrderAndCancelledOnesNever) {
    EventLoop loop;
    std::string order;
    loop.after(std::chrono::milliseconds(2), [&] {
        order += 'b';
        loop.stop();
    });
    loop.after(std::chrono::milliseconds(1), [&] { order += 'a'; });
    loop.cancel(loop.after(std::chrono::milliseconds(0), [&] { order += 'x'; }));
    loop.run();
    EXPECT_EQ(order, "ab");
}

TEST(EventLoop, AHandlerMayRemoveItself) {
    EventLoop loop;
    Pipe pipe = make_pipe();
    write_all(pipe.write.get(), "x", Deadline::never());
    loop.add(pipe.read.get(), EPOLLIN, [&](std::uint32_t) {
        loop.remove(pipe.read.get());
        loop.stop();
    });
    loop.run();
}

TEST(SendPending, KeepsWhatTheSocketDoesNotTakeAndTellsAPeerThatHasGone) {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    const Fd ours(ends[0]);
    Fd theirs(ends[1]);
    const std::string all(std::size_t{8} << 20, 'x');
    std::string pending = all;
    EXPECT_TRUE(send_pending(ours.get(), pending));
    EXPECT_FALSE(pending.empty());
    EXPECT_LT(pending.size(), all.size());
    std::size_t received = 0;
    std::string buffer(65536, ' ');
    while (received < all.size()) {
        const ssize_t count = ::read(theirs.get(), buffer.data(), buffer.size());
        if (count > 0) received += static_cast<std::size_t>(count);
        ASSERT_TRUE(send_pending(ours.get(), pending));
    }
    EXPECT_EQ(received, all.size());
    theirs.reset();
    pending = "more";
    EXPECT_FALSE(send_pending(ours.get(), pending));
}

}  // namespace relais
