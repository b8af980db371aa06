#include "qmtp/qmqp_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <thread>

#include "base/io.h"

namespace relais::qmtp {
namespace {

using queue::SubmitCode;

TEST(QmqpClient, Servers) {
    const auto servers =
        parse_servers({"192.0.2.1", "2001:db8::1", "192.0.2.2:629", "[::1]:630", "host.test", ""});
    EXPECT_THAT(servers,
                testing::ElementsAre(net::Endpoint{"192.0.2.1", 628}, net::Endpoint{"2001:db8::1", 628},
                                     net::Endpoint{"192.0.2.2", 629}, net::Endpoint{"::1", 630}));
}

TEST(QmqpClient, RequestsAreNetstringsInANetstring) {
    EXPECT_EQ(encode_request("hi\n", queue::encode_submitted_envelope("a@b", {"c@d", "e@f"})),
              "24:3:hi\n,3:a@b,3:c@d,3:e@f,,");
    EXPECT_EQ(encode_request("", queue::encode_submitted_envelope("", {})), "6:0:,0:,,");
}

// Takes one connection, reads so much, says that, and closes.
struct QmqpServer {
    explicit QmqpServer(std::size_t reads, std::string says)
        : listener(net::listen_tcp({"127.0.0.1", 0})), thread([this, reads, says] {
              wait_readable(listener.get(), Deadline::in(std::chrono::minutes(1)));
              const Fd fd(::accept(listener.get(), nullptr, nullptr));
              std::string got(reads, '\0');
              if (fd && reads > 0 && read_exactly(fd.get(), got, Deadline::in(std::chrono::minutes(1))))
                  write_all(fd.get(), says, Deadline::in(std::chrono::minutes(1)));
          }) {}
    ~QmqpServer() { thread.join(); }
    net::Endpoint endpoint() const { return net::local_endpoint(listener.get()); }
    Fd listener;
    std::thread thread;
};

net::Endpoint nobody() {
    const Fd closed = net::listen_tcp({"127.0.0.1", 0});
    return net::local_endpoint(closed.get());
}

TEST(QmqpClient, TheAnswerCounts) {
    const std::string request = encode_request("m", queue::encode_submitted_envelope("a", {"b"}));
    for (const auto& [says, code] : {std::pair<std::string, SubmitCode>{"3:Kok,", SubmitCode::accepted},
                                     {"3:Zno,", SubmitCode::refused_for_now},
                                     {"3:Dno,", SubmitCode::refused},
                                     {"0:,", SubmitCode::refused_for_now},
                                     {"3:Kok", SubmitCode::communication},
                                     {"220 hello\r\n", SubmitCode::communication},
                                     {"", SubmitCode::communication}}) {
        const QmqpServer server(request.size(), says);
        EXPECT_EQ(submit({nobody(), server.endpoint(), nobody()}, request), code) << says;
    }
}

TEST(QmqpClient, NobodyIsThere) {
    EXPECT_EQ(submit({}, "x"), SubmitCode::bad_configuration);
    EXPECT_EQ(submit({nobody(), nobody()}, "x"), SubmitCode::connect_refused);
}

}  // namespace
}  // namespace relais::qmtp
