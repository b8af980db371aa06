#include "send/plan.h"

#include <gtest/gtest.h>

#include <string>

namespace relais::send {
namespace {

std::vector<Plan::Planned> of_domains(const std::string& domains) {
    std::vector<Plan::Planned> all;
    for (std::uint32_t i = 0; i < domains.size(); ++i)
        all.push_back({i, static_cast<std::uint32_t>(domains[i])});
    return all;
}

std::vector<std::uint32_t> take_all(Plan& plan) {
    std::vector<std::uint32_t> all;
    while (const auto next = plan.next()) {
        all.push_back(*next);
        plan.advance();
    }
    return all;
}

using Order = std::vector<std::uint32_t>;

TEST(Plan, BringsDomainsTogether) {
    Plan plan;
    EXPECT_TRUE(plan.empty());
    EXPECT_FALSE(plan.next());
    plan.add(of_domains("abcabca"));
    EXPECT_EQ(take_all(plan), (Order{0, 3, 6, 1, 4, 2, 5}));
    EXPECT_TRUE(plan.empty());
}

TEST(Plan, WhatIsAddedLaterComesLater) {
    Plan plan;
    plan.add(of_domains("ba"));
    plan.advance();
    plan.add({{7, 'a'}, {8, 'b'}});
    EXPECT_EQ(take_all(plan), (Order{0, 7, 8}));
    plan.add({{9, 'a'}});
    EXPECT_EQ(take_all(plan), (Order{9}));
}

TEST(Plan, PutsADomainAsideUntilTheOthersHadTheirTurn) {
    Plan plan;
    plan.add(of_domains("aaabbc"));
    plan.advance();
    EXPECT_TRUE(plan.put_aside());
    plan.advance();
    EXPECT_TRUE(plan.put_aside());
    EXPECT_EQ(take_all(plan), (Order{5, 1, 2, 4}));
}

TEST(Plan, OneDomainAloneCannotBePutAside) {
    Plan plan;
    plan.add(of_domains("aa"));
    EXPECT_FALSE(plan.put_aside());
    EXPECT_EQ(take_all(plan), (Order{0, 1}));
}

TEST(Plan, CaseOfADomainDoesNotCount) {
    EXPECT_EQ(Plan::domain_key("a@Example.ORG"), Plan::domain_key("b@x@example.org"));
    EXPECT_NE(Plan::domain_key("a@example.org"), Plan::domain_key("a@example.com"));
    EXPECT_EQ(Plan::domain_key("a"), Plan::domain_key("b"));
}

}  // namespace
}  // namespace relais::send
