#include "policy/policy.h"

#include <gtest/gtest.h>

#include "base/cdb.h"
#include "smtpd/test_home.h"

namespace relais::policy {
namespace {

class PolicyTest : public testing::Test {
  protected:
    Reason reason(std::string_view recipient) {
        Policy policy(files.home());
        const Decision decision = policy.decide(client, recipient);
        EXPECT_EQ(decision.allowed, decision.reason != Reason::foreign_domain);
        return decision.reason;
    }

    smtpd::TestHome files;
    Client client;
};

TEST_F(PolicyTest, NoRcpthostsAcceptsNoDomain) {
    EXPECT_EQ(reason("joe@mail.test"), Reason::foreign_domain);
    EXPECT_EQ(reason("joe@other.example"), Reason::foreign_domain);
    EXPECT_EQ(reason("postmaster"), Reason::no_domain);
    files.control("rcpthosts", "\n# nothing\n");
    EXPECT_EQ(reason("joe@mail.test"), Reason::foreign_domain);
}

TEST_F(PolicyTest, RcpthostsWithSuffixes) {
    files.control("rcpthosts", "Mail.Test  \n.example.org\n");
    EXPECT_EQ(reason("joe@MAIL.test"), Reason::rcpthosts);
    EXPECT_EQ(reason("joe@a.b.example.org"), Reason::rcpthosts);
    EXPECT_EQ(reason("joe@example.org"), Reason::foreign_domain);
    EXPECT_EQ(reason("joe@xmail.test"), Reason::foreign_domain);
    EXPECT_EQ(reason("joe@mail.test@foreign.example"), Reason::foreign_domain);
    EXPECT_EQ(reason("joe%foreign.example@foreign.example"), Reason::foreign_domain);
    EXPECT_EQ(reason("joe@"), Reason::foreign_domain);
}

TEST_F(PolicyTest, MorercpthostsIsAsked) {
    files.control("rcpthosts", "mail.test\n");
    const std::string path = files.home().control_file("morercpthosts.cdb");
    CdbWriter writer(path, path + ".tmp");
    writer.add("more.example", "");
    writer.add(".sub.example", "");
    writer.commit();
    EXPECT_EQ(reason("joe@More.Example"), Reason::morercpthosts);
    EXPECT_EQ(reason("joe@x.y.sub.example"), Reason::morercpthosts);
    EXPECT_EQ(reason("joe@sub.example"), Reason::foreign_domain);
}

TEST_F(PolicyTest, RelayclientMayEverywhere) {
    client.relayclient = "";
    EXPECT_EQ(reason("joe@foreign.example"), Reason::client_rule);
}

TEST_F(PolicyTest, DecisionNamesTheEntry) {
    files.control("rcpthosts", ".example.org\n");
    Policy policy(files.home());
    EXPECT_EQ(policy.decide(client, "joe@a.example.org").detail, ".example.org");
}

TEST_F(PolicyTest, OurPostmaster) {
    files.control("rcpthosts", "mail.test\n");
    Policy policy(files.home());
    EXPECT_TRUE(policy.is_our_postmaster("PostMaster"));
    EXPECT_TRUE(policy.is_our_postmaster("postmaster@mail.test"));
    EXPECT_FALSE(policy.is_our_postmaster("postmaster@foreign.example"));
    EXPECT_FALSE(policy.is_our_postmaster("joe@mail.test"));
    EXPECT_FALSE(policy.is_our_postmaster("abuse@mail.test"));
    EXPECT_TRUE(policy.hears_everybody("postmaster@mail.test"));
    EXPECT_TRUE(policy.hears_everybody("Abuse@mail.test"));
    EXPECT_FALSE(policy.hears_everybody("abuse@foreign.example"));
}

TEST_F(PolicyTest, LiteralOfOurAddress) {
    files.control("localiphost", "here.test\n");
    client.local_ip = "192.0.2.1";
    Policy policy(files.home());
    EXPECT_EQ(policy.with_local_name("joe@[192.0.2.1]", client), "joe@here.test");
    EXPECT_EQ(policy.with_local_name("joe@[192.0.2.2]", client), "joe@[192.0.2.2]");
    EXPECT_EQ(policy.with_local_name("joe@mail.test", client), "joe@mail.test");
    client.local_ip = "2001:db8::1";
    EXPECT_EQ(policy.with_local_name("joe@[IPv6:2001:DB8:0::1]", client), "joe@here.test");
}

TEST_F(PolicyTest, RefreshSeesChangedFiles) {
    Policy policy(files.home());
    policy.refresh();
    EXPECT_FALSE(policy.decide(client, "joe@mail.test").allowed);
    files.control("rcpthosts", "mail.test\n");
    EXPECT_FALSE(policy.decide(client, "joe@mail.test").allowed);
    policy.refresh();
    EXPECT_TRUE(policy.decide(client, "joe@mail.test").allowed);
}

}  // namespace
}  // namespace relais::policy
