#include "net/socket.h"

#include <gtest/gtest.h>

namespace relais::net {
namespace {

TEST(Endpoint, BothFamilies) {
    EXPECT_EQ(parse_endpoint("127.0.0.1:25"), (Endpoint{"127.0.0.1", 25}));
    EXPECT_EQ(parse_endpoint("[::1]:2525"), (Endpoint{"::1", 2525}));
    EXPECT_EQ(parse_endpoint("[2001:DB8:0::1]:0"), (Endpoint{"2001:db8::1", 0}));
    EXPECT_EQ((Endpoint{"::1", 25}).text(), "[::1]:25");
    EXPECT_EQ((Endpoint{"192.0.2.1", 25}).text(), "192.0.2.1:25");
}

TEST(Endpoint, RefusesWhatIsNone) {
    for (const char* text : {"", ":25", "25", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536",
                             "::1:25", "[127.0.0.1]:25", "[::1]", "[]:25", "mail.example:25", "127.0.0:25"})
        EXPECT_FALSE(parse_endpoint(text)) << text;
}

TEST(CanonicalAddress, MappedAddressesAreIpv4) {
    EXPECT_EQ(canonical_address("::ffff:192.0.2.1"), "192.0.2.1");
    EXPECT_EQ(canonical_address("0:0:0:0:0:0:0:1"), "::1");
    EXPECT_FALSE(canonical_address("1.2.3"));
    EXPECT_FALSE(canonical_address(std::string_view("::1\0x", 5)));
}

TEST(ListenTcp, ReportsTheChosenPort) {
    const Fd fd = listen_tcp({"127.0.0.1", 0});
    const Endpoint where = local_endpoint(fd.get());
    EXPECT_EQ(where.ip, "127.0.0.1");
    EXPECT_NE(where.port, 0);
    EXPECT_EQ(to_endpoint(to_socket_address(where)), where);
}

}  // namespace
}  // namespace relais::net
