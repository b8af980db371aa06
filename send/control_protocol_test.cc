#include "send/control_protocol.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

namespace relais::send {
namespace {

TEST(ControlProtocol, RequestRoundTrip) {
    for (const ControlVerb verb : {ControlVerb::hold, ControlVerb::release, ControlVerb::retry,
                                   ControlVerb::remove, ControlVerb::bounce, ControlVerb::why}) {
        const auto back = decode_control_request(encode(ControlRequest{verb, 1750000000123456}));
        ASSERT_TRUE(back);
        EXPECT_EQ(back->verb, verb);
        EXPECT_EQ(back->message, 1750000000123456U);
    }
    EXPECT_EQ(encode(ControlRequest{ControlVerb::flush, 0}), "flush");
    EXPECT_EQ(encode(ControlRequest{ControlVerb::remove, 5}), "delete 5");
    EXPECT_TRUE(decode_control_request("stat"));
}

TEST(ControlProtocol, WrongRequests) {
    for (const char* line : {"", "hold", "hold ", "hold x", "hold 1 2", "hold -1", "flush 1", "Hold 1",
                             "why 99999999999999999999999"})
        EXPECT_FALSE(decode_control_request(line)) << line;
}

TEST(ControlProtocol, Answers) {
    EXPECT_EQ(encode(ControlAnswer{true, ""}, false), "ok\n");
    EXPECT_EQ(encode(ControlAnswer{false, "no\nsuch message"}, false), "error no/such message\n");
    EXPECT_EQ(encode(ControlAnswer{true, "a\n.b\n\nc\n"}, true), "a\n..b\n\nc\n.\n");
    EXPECT_EQ(encode(ControlAnswer{true, ""}, true), ".\n");
}

TEST(ControlProtocol, ATextHasALimit) {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    const Fd other(ends[1]);
    ControlClient client{Fd(ends[0])};
    const std::string text = "known 1\n" + std::string(100, 'x') + "\nnew 2\n.\nknown 3\n.\n";
    write_all(other.get(), text, Deadline::in(Seconds(10)));
    EXPECT_EQ(client.ask({ControlVerb::stat, 0}, Deadline::in(Seconds(10)), 50).text, "known 1\n");
    EXPECT_EQ(client.ask({ControlVerb::stat, 0}, Deadline::in(Seconds(10))).text, "known 3\n");
}

}  // namespace
}  // namespace relais::send
