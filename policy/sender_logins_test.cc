#include "policy/sender_logins.h"

#include <gtest/gtest.h>

namespace relais::policy {
namespace {

TEST(SenderLogins, Modes) {
    using Mode = SenderLogins::Mode;
    EXPECT_EQ(SenderLogins().mode(), Mode::off);
    EXPECT_EQ(SenderLogins({"off"}).mode(), Mode::off);
    EXPECT_EQ(SenderLogins({"Warn"}).mode(), Mode::warn);
    EXPECT_EQ(SenderLogins({"enforce"}).mode(), Mode::enforce);
    EXPECT_EQ(SenderLogins({"anna@example.org x@example.org"}).mode(), Mode::off);
}

TEST(SenderLogins, WhoMayUseWhat) {
    const SenderLogins rules({"enforce", "anna@example.org  Anna.Smith@Example.org\t@anna.example",
                              "bulk@example.org *", "* office@example.org",
                              "anna@example.org second@line.example"});
    for (const char* sender :
         {"", "anna@example.org", "ANNA@Example.ORG", "anna-list@example.org", "anna.smith@example.org",
          "x@anna.example", "office@example.org", "second@line.example"})
        EXPECT_TRUE(rules.may_use("anna@example.org", sender)) << sender;
    for (const char* sender :
         {"bob@example.org", "anna@example.com", "anna", "annabel@example.org", "anna@x@example.org",
          "x@sub.anna.example", "@", "anna@", "anna.smith@example.org.evil"})
        EXPECT_FALSE(rules.may_use("anna@example.org", sender)) << sender;
    EXPECT_TRUE(rules.may_use("bulk@example.org", "whoever@anywhere.test"));
    EXPECT_FALSE(rules.may_use("bob@example.org", "x@anna.example"));
    EXPECT_TRUE(rules.may_use("bob@example.org", "office@example.org"));
}

}  // namespace
}  // namespace relais::policy
