#include "remote/tls_policy.h"

#include <gtest/gtest.h>

namespace relais::remote {
namespace {

const std::string digest(64, 'a');

TEST(TlsPolicy, Levels) {
    EXPECT_EQ(parse_tls_policy("none").level, TlsLevel::none);
    EXPECT_EQ(parse_tls_policy("May").level, TlsLevel::may);
    EXPECT_EQ(parse_tls_policy(" encrypt ").level, TlsLevel::encrypt);
    EXPECT_EQ(parse_tls_policy("verify").level, TlsLevel::verify);
    EXPECT_EQ(parse_tls_policy("fingerprint sha256=" + digest).level, TlsLevel::fingerprint);
    EXPECT_TRUE(parse_tls_policy("encrypt").required());
    EXPECT_FALSE(parse_tls_policy("encrypt").authenticates_server());
    EXPECT_FALSE(parse_tls_policy("may").required());
}

TEST(TlsPolicy, Options) {
    const TlsPolicy policy =
        parse_tls_policy("verify implicit min=1.3\tca=ca.pem name=A.example  name=.b.example cleartext");
    EXPECT_TRUE(policy.usable);
    EXPECT_TRUE(policy.implicit && policy.only_13 && policy.cleartext_password);
    EXPECT_EQ(policy.ca_file, "ca.pem");
    EXPECT_EQ(policy.names, (std::vector<std::string>{"a.example", ".b.example"}));
    std::string colons;
    for (int i = 0; i < 32; ++i) colons += i == 0 ? "AA" : ":AA";
    EXPECT_EQ(parse_tls_policy("fingerprint sha256=" + colons).digests, std::vector<std::string>{digest});
    EXPECT_FALSE(parse_tls_policy("may min=1.2").only_13);
}

TEST(TlsPolicy, WhatCannotBeMeantIsNotUsed) {
    for (const char* text :
         {"", "yes", "verify min=1.1", "verify min", "verify ca=", "verify sha256=aa", "fingerprint",
          "may ca=x", "encrypt name=x", "none implicit", "verify foo", "verify foo=bar", "may implicitly"})
        EXPECT_FALSE(parse_tls_policy(text).usable) << text;
    EXPECT_FALSE(parse_tls_policy("verify sha256=" + digest).usable);
}

TEST(TlsDestinations, TheFirstNameThatHasALine) {
    const TlsDestinations destinations({"a.example:verify", ".example:encrypt", "mx.test:none",
                                        "[2001:db8::1]:may", "192.0.2.1:encrypt", ":verify",
                                        "bad.test verify"});
    EXPECT_EQ(destinations.match({"A.example", "mx.test"}).level, TlsLevel::verify);
    EXPECT_EQ(destinations.match({"b.example", "mx.test"}).level, TlsLevel::encrypt);
    EXPECT_EQ(destinations.match({"x.test", "mx.test"}).level, TlsLevel::none);
    EXPECT_EQ(destinations.match({"2001:db8::1"}).level, TlsLevel::may);
    EXPECT_EQ(destinations.match({"192.0.2.1"}).level, TlsLevel::encrypt);
    EXPECT_EQ(destinations.match({"", "elsewhere"}).level, TlsLevel::verify);
    EXPECT_FALSE(destinations.match({"elsewhere"}).named);
    EXPECT_FALSE(destinations.match({"bad.test"}).usable);
    EXPECT_EQ(TlsDestinations().match({"x"}).level, TlsLevel::may);
    EXPECT_NE(destinations.match({"a.example"}).identity(), destinations.match({"b.example"}).identity());
}

TEST(TlsDestinations, CredentialsAskForAVerifiedServer) {
    EXPECT_EQ(with_credentials(TlsDestinations().match({"a"})).level, TlsLevel::verify);
    EXPECT_EQ(with_credentials(TlsDestinations({":none cleartext"}).match({"a"})).level, TlsLevel::verify);
    EXPECT_FALSE(with_credentials(TlsDestinations({":none cleartext"}).match({"a"})).cleartext_password);
    EXPECT_EQ(with_credentials(TlsDestinations({"a:none"}).match({"a"})).level, TlsLevel::none);
    EXPECT_EQ(with_credentials(TlsDestinations({":fingerprint sha256=" + digest}).match({"a"})).level,
              TlsLevel::fingerprint);
}

}  // namespace
}  // namespace relais::remote
