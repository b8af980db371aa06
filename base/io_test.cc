#include "base/io.h"

#include <gtest/gtest.h>

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

}  // namespace relais
