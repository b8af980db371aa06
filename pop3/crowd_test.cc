#include "pop3/crowd.h"

#include <gtest/gtest.h>

namespace relais::pop3 {
namespace {

// Port 110 is 006E, as a machine with its least octet first prints addresses.
constexpr std::string_view table =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    "   0: 0100007F:006E 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1\n"
    "   1: 0100007F:006E 0200007F:D2A4 01 00000000:00000000 00:00000000 00000000     0        0 2\n"
    "   2: 0100007F:006E 0200007F:D2A5 08 00000000:00000000 00:00000000 00000000     0        0 3\n"
    "   3: 0100007F:006E 0300007F:D2A6 01 00000000:00000000 00:00000000 00000000     0        0 4\n"
    "   4: 0100007F:0019 0200007F:D2A7 01 00000000:00000000 00:00000000 00000000     0        0 5\n"
    "   5: 0200007F:D2A4 0100007F:006E 01 00000000:00000000 00:00000000 00000000     0        0 6\n"
    "   6: 0100007F:006E 0200007F:D2A9 06 00000000:00000000 00:00000000 00000000     0        0 7\n";

TEST(Crowd, CountsConnectionsToThePort) {
    EXPECT_EQ(count_connections(table, 110, "127.0.0.2"), (Crowd{3, 2}));
    EXPECT_EQ(count_connections(table, 110, "127.0.0.9"), (Crowd{3, 0}));
    EXPECT_EQ(count_connections(table, 25, "::ffff:127.0.0.2"), (Crowd{1, 1}));
}

TEST(Crowd, AnIpv6NetworkIsOneNeighbourhood) {
    const std::string_view v6 =
        "   0: 00000000000000000000000001000000:006E B80D0120000000000000000001000000:D2A4 01 0 0\n"
        "   1: 00000000000000000000000001000000:006E B80D0120000000000000000002000000:D2A5 01 0 0\n"
        "   2: 0000000000000000FFFF00000100007F:006E 0000000000000000FFFF00000200007F:D2A6 01 0 0\n";
    EXPECT_EQ(count_connections(v6, 110, "2001:db8::7"), (Crowd{3, 2}));
    EXPECT_EQ(count_connections(v6, 110, "127.0.0.2"), (Crowd{3, 1}));
}

TEST(Crowd, OtherLinesArePassedOver) {
    EXPECT_EQ(count_connections("", 110, "127.0.0.2"), Crowd());
    EXPECT_EQ(count_connections("0: 0100007F:006E\n0: x:006E y:1 01\n0: 0100007F:006E 02:1 01\n", 110, "x"),
              Crowd());
}

}  // namespace
}  // namespace relais::pop3
