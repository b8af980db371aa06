#include "send/signing.h"

#include <gtest/gtest.h>

#include <fstream>

#include "keyd/mail_token.h"
#include "send/test_queue.h"

namespace relais::send {
namespace {

using Kind = mail::Submitter::Kind;
using Words = std::vector<std::string>;
constexpr std::int64_t noon = 1'700'000'000;
constexpr std::string_view passwd =
    "root:x:0:0::/root:/bin/sh\nwww-data:x:33:33::/:\nbroken\nodd:x:none:1::/:\n";

TEST(DkimUsers, AreNamedByNameOrUid) {
    Words mistakes;
    const auto senders = parse_dkim_users({"www-data: One.Test  two.test", "1000: anna@one.test", "root:*",
                                           "nobody-here: x", "no colon", "odd: y"},
                                          passwd, mistakes);
    EXPECT_EQ(senders.at("33"), (Words{"@one.test", "@two.test"}));
    EXPECT_EQ(senders.at("1000"), Words{"anna@one.test"});
    EXPECT_EQ(senders.at("0"), Words{"*"});
    ASSERT_EQ(mistakes.size(), 3U);
    EXPECT_NE(mistakes[0].find("nobody-here"), std::string::npos);
    EXPECT_NE(mistakes[1].find("no colon"), std::string::npos);
}

class SigningTest : public testing::Test {
  protected:
    SigningTest() : signing_(queue_.home(), secret_, std::string(passwd)) {
        std::filesystem::create_directories(keys());
        put("me", "host.test");
    }
    std::string keys() const { return queue_.home().path("control/dkim"); }
    void put(const std::string& name, const std::string& text) {
        std::ofstream(queue_.home().control_file(name)) << text << "\n";
    }
    // The domains that the token allows; "none" without one.
    Words allowed(mail::Submitter submitter) {
        const std::string token = signing_.allow(submitter, 5, noon);
        if (token.empty()) return {"none"};
        const auto grant = keyd::open_mail_token(secret_, token, noon);
        EXPECT_TRUE(grant && grant->message == 5);
        return grant->domains;
    }

    TestQueue queue_;
    const std::string secret_ = std::string(keyd::token_secret_size, 's');
    Signing signing_;
};

TEST_F(SigningTest, WhoeverCameSomehowMayUseWhatIsHis) {
    put("dkimusers", "www-data: one.test");
    put("bouncehost", "Bounce.Test");
    EXPECT_TRUE(signing_.read().empty());
    EXPECT_EQ(allowed({Kind::login, "anna@one.test", {"@one.test", "x@two.test"}}),
              (Words{"one.test", "two.test"}));
    EXPECT_EQ(allowed({Kind::rule, "127.0.0.1", {"*"}}), Words{"*"});
    EXPECT_EQ(allowed({Kind::bounce, ""}), Words{"bounce.test"});
    EXPECT_EQ(allowed({Kind::local, "0"}), Words{"*"});
    EXPECT_EQ(allowed({Kind::local, "33"}), Words{"one.test"});
    EXPECT_EQ(allowed({Kind::local, "1000"}), Words{"none"});
    EXPECT_EQ(allowed({Kind::forward, "33"}), Words{"none"});
    EXPECT_EQ(allowed({Kind::stranger, ""}), Words{"none"});
    EXPECT_EQ(allowed({Kind::open_smtp, "anna@one.test"}), Words{"none"});
}

TEST_F(SigningTest, WhatMayBeUsedIsWhatTheTokenNames) {
    EXPECT_TRUE(signing_.read().empty());
    EXPECT_EQ(allowed({Kind::login, "anna", {"anna@m\u00fcller.test"}}), Words{"xn--mller-kva.test"});
    mail::Submitter submitter{Kind::login, "anna"};
    for (int i = 0; i < 300; ++i)
        submitter.may_use.push_back("@domain" + std::to_string(i) + ".some.example");
    const auto grant = keyd::open_mail_token(secret_, signing_.allow(submitter, 5, noon), noon);
    ASSERT_TRUE(grant);
    EXPECT_LT(grant->domains.size(), 300U);
    EXPECT_EQ(submitter.domains(), grant->domains);
}

TEST_F(SigningTest, WithoutKeysOrSecretNobodyMay) {
    std::filesystem::remove(keys());
    EXPECT_TRUE(signing_.read().empty());
    EXPECT_EQ(allowed({Kind::local, "0"}), Words{"none"});
    std::filesystem::create_directories(keys());
    Signing without(queue_.home(), "", "");
    EXPECT_TRUE(without.read().empty());
    mail::Submitter root{Kind::local, "0"};
    EXPECT_EQ(without.allow(root, 5, noon), "");
}

}  // namespace
}  // namespace relais::send
