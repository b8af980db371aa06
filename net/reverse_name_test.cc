#include "net/reverse_name.h"
#include "net/network.h"

#include <gtest/gtest.h>

namespace relais::net {
namespace {

TEST(ReverseName, OfBothFamilies) {
    EXPECT_EQ(reverse_name("192.0.2.7"), "7.2.0.192.in-addr.arpa");
    EXPECT_EQ(reverse_name("2001:db8::567:89ab"),
              "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
    EXPECT_EQ(reversed_address("127.0.0.2", "list.example"), "2.0.0.127.list.example");
}

TEST(ReverseName, OfNoAddressIsNone) {
    EXPECT_EQ(reverse_name("unknown"), "");
    EXPECT_EQ(reverse_name(""), "");
    EXPECT_EQ(reversed_address("192.0.2", "list.example"), "");
}

TEST(Network, OfBothFamilies) {
    EXPECT_EQ(network_of("192.0.2.77"), "192.0.2.0/24");
    EXPECT_EQ(network_of("2001:db8:0:1ff::5"), "2001:db8:0:100::/56");
    EXPECT_EQ(network_of("unknown"), "");
}

}  // namespace
}  // namespace relais::net
