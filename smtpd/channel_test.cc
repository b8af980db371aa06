#include "smtpd/channel.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <string>

#include "base/fd.h"
#include "base/io.h"

namespace relais::smtpd {
namespace {

constexpr std::chrono::seconds patience{20};

struct Connection {
    Fd client;
    Fd server;
};

Connection connect_by_tcp() {
    const Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* const name = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener.get(), name, size), 0);
    EXPECT_EQ(::listen(listener.get(), 1), 0);
    EXPECT_EQ(::getsockname(listener.get(), name, &size), 0);
    Connection made;
    made.client = Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(made.client.get(), name, size), 0);
    made.server = Fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    return made;
}

bool has_arrived(int socket) {
    char octet = 0;
    return ::recv(socket, &octet, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

std::string read_to_the_end(int socket) {
    std::string all;
    char part[256];
    while (const std::size_t count = read_some(socket, part, Deadline::in(patience))) all.append(part, count);
    return all;
}

TEST(Channel, TheLastReplyLeavesWithTheEndOfTheConnection) {
    bool waited = false;
    // The kernel holds a reply for 200 ms only, which a busy machine may exceed before the look.
    for (int i = 0; i < 50 && !waited; ++i) {
        Connection connection = connect_by_tcp();
        Channel channel(connection.server.get(), connection.server.get(), patience);
        channel.reply("221 bye");
        channel.end_with_last_reply();
        channel.finish();
        waited = !has_arrived(connection.client.get());
        connection.server.reset();
        EXPECT_EQ(read_to_the_end(connection.client.get()), "221 bye\r\n");
    }
    EXPECT_TRUE(waited);
}

// Closing would drop the reply with what was not read.
TEST(Channel, TheLastReplyLeavesAtOnceForAClientThatSaidMore) {
    const Connection connection = connect_by_tcp();
    Channel channel(connection.server.get(), connection.server.get(), patience);
    write_all(connection.client.get(), "NOOP\r\n", Deadline::in(patience));
    ASSERT_TRUE(wait_readable(connection.server.get(), Deadline::in(patience)));
    channel.reply("221 bye");
    channel.end_with_last_reply();
    channel.finish();
    char part[64];
    const std::size_t count = read_some(connection.client.get(), part, Deadline::in(patience));
    EXPECT_EQ(std::string(part, count), "221 bye\r\n");
}

TEST(Channel, APipeHasNoPacketsToSave) {
    Pipe in = make_pipe();
    Pipe out = make_pipe();
    Channel channel(in.read.get(), out.write.get(), patience);
    channel.reply("221 bye");
    channel.end_with_last_reply();
    channel.finish();
    out.write.reset();
    EXPECT_EQ(read_to_the_end(out.read.get()), "221 bye\r\n");
}

}  // namespace
}  // namespace relais::smtpd
