#include "remote/domain_policy.h"

#include <gtest/gtest.h>

namespace relais::remote {
namespace {

sts::Found policy_found(sts::Mode mode) {
    sts::Found found;
    found.state = sts::Found::State::policy;
    found.policy = {mode, 86400, {"mx.example.org"}};
    return found;
}

TEST(DomainPolicy, OnlyWhatIsToBeEnforcedIs) {
    EXPECT_TRUE(is_enforced(policy_found(sts::Mode::enforce)));
    EXPECT_FALSE(is_enforced(policy_found(sts::Mode::testing)));
    EXPECT_FALSE(is_enforced(policy_found(sts::Mode::none)));
    sts::Found none = policy_found(sts::Mode::enforce);
    none.state = sts::Found::State::none;
    EXPECT_FALSE(is_enforced(none));
}

TEST(DomainPolicy, AsksForTheServersOwnName) {
    const TlsPolicy policy = with_domain_policy(TlsDestinations({":may min=1.3"}).match({"x"}), "Example.org",
                                                "mx.example.org", "/etc/ca.pem");
    EXPECT_EQ(policy.level, TlsLevel::verify);
    EXPECT_EQ(policy.names, std::vector<std::string>{"mx.example.org"});
    EXPECT_EQ(policy.ca_file, "/etc/ca.pem");
    EXPECT_EQ(policy.policy_of, "example.org");
    EXPECT_TRUE(policy.only_13 && policy.required());
    EXPECT_EQ(policy.reason(), " (the policy of example.org, MTA-STS, says so)");
}

TEST(DomainPolicy, WhatCannotBeFoundOutWaits) {
    net::Resolver resolver(control::Home("/nonexistent"));
    sts::Policies policies(control::Home("/nonexistent"));
    const sts::Found found = find_domain_policy(resolver, policies, "example.org", Seconds(1));
    EXPECT_EQ(found.state, sts::Found::State::unknown);
    EXPECT_EQ(domain_policy_unknown("example.org").letter, Letter::temporary);
    EXPECT_EQ(not_admitted("example.org", "mx.example.net").letter, Letter::temporary);
    for (const char* domain : {"[192.0.2.1]", "localhost", ""})
        EXPECT_EQ(find_domain_policy(resolver, policies, domain, Seconds(1)).state, sts::Found::State::none);
}

}  // namespace
}  // namespace relais::remote
