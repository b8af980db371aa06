#include "explain/provider.h"

#include <gtest/gtest.h>

namespace relais::explain {
namespace {

TEST(Provider, is_the_registered_name) {
    EXPECT_EQ(provider_of("aspmx.l.google.com"), "google.com");
    EXPECT_EQ(provider_of("ALT1.ASPMX.L.GOOGLEMAIL.COM"), "google.com");
    EXPECT_EQ(provider_of("example-org.mail.protection.outlook.com"), "outlook.com");
    EXPECT_EQ(provider_of("mx1.ovh.net"), "ovh.net");
    EXPECT_EQ(provider_of("mx.yandex.ru"), provider_of("mx.yandex.net"));
    EXPECT_EQ(provider_of("mx1.example.co.uk"), "example.co.uk");
    EXPECT_EQ(provider_of("mx.co.uk"), "mx.co.uk");
    EXPECT_EQ(provider_of("mail.free.fr"), "free.fr");
    EXPECT_EQ(provider_of("localhost"), "localhost");
    EXPECT_EQ(provider_of(""), "");
}

}  // namespace
}  // namespace relais::explain
