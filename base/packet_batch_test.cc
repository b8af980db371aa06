#include "base/packet_batch.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "base/unix_socket.h"

namespace relais {
namespace {

class PacketBatchTest : public testing::Test {
  protected:
    PacketBatchTest() {
        auto [first, second] = make_packet_pair();
        ours = std::move(first);
        theirs = std::move(second);
        set_nonblocking(ours.get(), true);
    }
    Fd ours, theirs;
    PacketReader reader{100, 8};
    PacketWriter writer;
};

TEST_F(PacketBatchTest, PacketsComeInOrderWithTheirDescriptors) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const Fd read_end(ends[0]);
    for (int i = 0; i < 20; ++i)
        writer.put("packet " + std::to_string(i), i == 11 ? Fd(::dup(ends[1])) : Fd());
    Fd(ends[1]).reset();
    EXPECT_TRUE(writer.flush(ours.get()));
    int next = 0;
    std::vector<Fd> passed;
    while (next < 20) {
        const auto packets = reader.read(theirs.get());
        ASSERT_FALSE(packets.empty());
        EXPECT_LE(packets.size(), 8U);
        for (PacketReader::Packet& packet : packets) {
            EXPECT_EQ(packet.data, "packet " + std::to_string(next));
            EXPECT_EQ(static_cast<bool>(packet.passed), next++ == 11);
            if (packet.passed) passed.push_back(std::move(packet.passed));
        }
    }
    ASSERT_EQ(passed.size(), 1U);
    EXPECT_EQ(::write(passed[0].get(), "x", 1), 1);
    EXPECT_NE(::fcntl(passed[0].get(), F_GETFD) & FD_CLOEXEC, 0);
}

std::ptrdiff_t open_descriptors() {
    const std::filesystem::directory_iterator all("/proc/self/fd");
    return std::distance(begin(all), end(all));
}

// A packet of one octet with two descriptors, which nobody of ours sends.
void send_two_descriptors(int socket) {
    char octet = 'x';
    iovec part{&octet, 1};
    alignas(cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(2 * sizeof(int));
    const int both[] = {socket, socket};
    std::memcpy(CMSG_DATA(header), both, sizeof both);
    ASSERT_EQ(::sendmsg(socket, &message, 0), 1);
}

// Who has taken over a peer could fill up the descriptors of a process that is root.
TEST_F(PacketBatchTest, ASecondDescriptorInAPacketIsNotLeftOpen) {
    const auto before = open_descriptors();
    send_two_descriptors(ours.get());
    EXPECT_EQ(reader.read(theirs.get()).size(), 1U);
    send_two_descriptors(ours.get());
    EXPECT_TRUE(receive_packet(theirs.get(), 10)->passed);
    reader.read_now(theirs.get());  // forgets what it has read
    EXPECT_EQ(open_descriptors(), before);
}

TEST_F(PacketBatchTest, NothingThereIsNotTheEnd) {
    EXPECT_TRUE(reader.read(ours.get()).empty());
    EXPECT_FALSE(reader.closed());
    EXPECT_TRUE(reader.read_now(theirs.get()).empty());
    EXPECT_FALSE(reader.closed());
}

TEST_F(PacketBatchTest, TheEndComesAfterTheLastPacket) {
    writer.put("last");
    EXPECT_TRUE(writer.flush(ours.get()));
    ours.reset();
    const auto packets = reader.read(theirs.get());
    ASSERT_EQ(packets.size(), 1U);
    EXPECT_EQ(packets[0].data, "last");
    EXPECT_TRUE(reader.read(theirs.get()).empty());
    EXPECT_TRUE(reader.closed());
}

TEST_F(PacketBatchTest, AFullSocketKeepsTheRest) {
    constexpr std::size_t count = 5000;
    for (std::size_t i = 0; i < count; ++i) writer.put(std::to_string(i) + std::string(80, 'x'));
    EXPECT_FALSE(writer.flush(ours.get()));
    EXPECT_GT(writer.waiting(), 0U);
    std::size_t received = 0;
    while (received < count) {
        for (const PacketReader::Packet& packet : reader.read(theirs.get()))
            EXPECT_TRUE(packet.data.starts_with(std::to_string(received++) + "x"));
        writer.flush(ours.get());
    }
    EXPECT_EQ(writer.waiting(), 0U);
}

TEST_F(PacketBatchTest, WhatAPeerThatHasGoneDoesNotGetIsDropped) {
    theirs.reset();
    writer.put("x");
    EXPECT_TRUE(writer.flush(ours.get()));
    EXPECT_TRUE(writer.gone());
    EXPECT_EQ(writer.waiting(), 0U);
}

TEST_F(PacketBatchTest, APacketBeyondTheLimitIsEmpty) {
    writer.put(std::string(101, 'x'));
    writer.put("y");
    writer.flush(ours.get());
    const auto packets = reader.read(theirs.get());
    ASSERT_EQ(packets.size(), 2U);
    EXPECT_EQ(packets[0].data, "");
    EXPECT_EQ(packets[1].data, "y");
    EXPECT_FALSE(reader.closed());
}

}  // namespace
}  // namespace relais
