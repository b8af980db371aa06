#include "remote/login.h"

#include <gtest/gtest.h>

namespace relais::remote {
namespace {

using sasl::Mechanism;
using Order = std::vector<Mechanism>;
const std::vector<std::string> everything = {
    "LOGIN", "cram-md5", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "GSSAPI", "XOAUTH2"};

TEST(LoginOrder, AVerifiedServerMaySeeThePassword) {
    EXPECT_EQ(login_order(everything, Channel::verified, false, true),
              (Order{Mechanism::scram_sha_256_plus, Mechanism::scram_sha_256, Mechanism::plain,
                     Mechanism::login, Mechanism::cram_md5}));
    EXPECT_EQ(login_order({"PLAIN", "SCRAM-SHA-256-PLUS"}, Channel::verified, false, false),
              Order{Mechanism::plain});
}

TEST(LoginOrder, OneThatNobodyVerifiedSeesItLast) {
    EXPECT_EQ(login_order({"PLAIN", "CRAM-MD5", "LOGIN"}, Channel::encrypted, false, true),
              (Order{Mechanism::cram_md5, Mechanism::plain, Mechanism::login}));
}

TEST(LoginOrder, InTheClearNobodySeesIt) {
    EXPECT_EQ(login_order(everything, Channel::clear, false, false),
              (Order{Mechanism::scram_sha_256, Mechanism::cram_md5}));
    EXPECT_TRUE(login_order({"PLAIN", "LOGIN"}, Channel::clear, false, false).empty());
    EXPECT_EQ(login_order({"PLAIN", "LOGIN"}, Channel::clear, true, false),
              (Order{Mechanism::plain, Mechanism::login}));
}

}  // namespace
}  // namespace relais::remote
