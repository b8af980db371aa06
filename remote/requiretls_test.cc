#include "remote/requiretls.h"

#include <gtest/gtest.h>

#include "mail/header.h"

namespace relais::remote {
namespace {

bool frees(std::string_view header) {
    mail::HeaderReader reader(1 << 16);
    reader.add(header);
    reader.finish();
    return tls_is_not_required(reader.fields());
}

TEST(TlsRequired, OneFieldThatSaysNoFrees) {
    EXPECT_TRUE(frees("Subject: x\nTLS-Required: No\n\n"));
    EXPECT_TRUE(frees("tls-required:\n  no \r\n\n"));
    EXPECT_TRUE(frees("TLS-Required: NO"));
    EXPECT_FALSE(frees("TLS-Required: Yes\n\n"));
    EXPECT_FALSE(frees("TLS-Required: No way\n\n"));
    EXPECT_FALSE(frees("TLS-Required:\n\n"));
    EXPECT_FALSE(frees("TLS-Required: No\nTLS-Required: No\n\n"));
    EXPECT_FALSE(frees("Subject: x\n\nTLS-Required: No\n"));
    EXPECT_FALSE(frees("X-TLS-Required: No\n\n"));
}

TEST(TlsRequired, NothingIsRequiredThenButWhatIsForbiddenStaysSo) {
    for (const char* line : {"encrypt", "verify ca=x name=y", "may", "encrypt min=1.3"}) {
        const TlsPolicy open = without_requirement(parse_tls_policy(line));
        EXPECT_EQ(open.level, TlsLevel::may) << line;
        EXPECT_EQ(open.ca_file + std::to_string(open.names.size()), "0") << line;
    }
    EXPECT_EQ(without_requirement(parse_tls_policy("none")).level, TlsLevel::none);
}

TEST(RequireTls, WhatAuthenticatesTheServerStays) {
    for (const char* line : {"none", "may", "encrypt"}) {
        const TlsPolicy strict = with_requiretls(parse_tls_policy(line), "mx.test", "ca.pem");
        EXPECT_EQ(strict.level, TlsLevel::verify) << line;
        EXPECT_EQ(strict.names, std::vector<std::string>{"mx.test"});
        EXPECT_EQ(strict.ca_file, "ca.pem");
        EXPECT_NE(strict.reason().find("REQUIRETLS"), std::string::npos);
    }
    const TlsPolicy own =
        with_requiretls(parse_tls_policy("verify ca=own.pem name=x.test"), "mx.test", "ca.pem");
    EXPECT_EQ(own.ca_file, "own.pem");
    EXPECT_EQ(own.names, std::vector<std::string>{"x.test"});
    EXPECT_TRUE(own.by_message);
}

TEST(RequireTls, ALineWithANameOrADigestNeedsNobodyElse) {
    const std::string digest(64, 'a');
    EXPECT_TRUE(names_the_server(parse_tls_policy("verify name=x.test")));
    EXPECT_TRUE(names_the_server(parse_tls_policy("fingerprint sha256=" + digest)));
    EXPECT_FALSE(names_the_server(parse_tls_policy("verify")));
    EXPECT_FALSE(names_the_server(parse_tls_policy("encrypt")));
}

TEST(RequireTls, APolicyVouchesWhereItNamesTheServer) {
    sts::Found found;
    found.state = sts::Found::State::policy;
    found.policy.mx = {"*.test"};
    for (const sts::Mode mode : {sts::Mode::enforce, sts::Mode::testing}) {
        found.policy.mode = mode;
        EXPECT_TRUE(vouches_for(found, "mx.test"));
        EXPECT_FALSE(vouches_for(found, "mx.example"));
    }
    found.policy.mode = sts::Mode::none;
    EXPECT_FALSE(vouches_for(found, "mx.test"));
    found.state = sts::Found::State::none;
    EXPECT_FALSE(vouches_for(found, "mx.test"));
}

}  // namespace
}  // namespace relais::remote
