#include "smtpd/reply_status.h"

#include <gtest/gtest.h>

namespace relais::smtpd {
namespace {

TEST(ReplyStatus, StandsBehindTheCode) {
    EXPECT_EQ(with_status("RCPT", "553 sorry (#5.7.1)"), "553 5.7.1 sorry (#5.7.1)");
    EXPECT_EQ(with_status("DATA", "250 ok 1 qp 2"), "250 2.0.0 ok 1 qp 2");
    EXPECT_EQ(with_status("", "500 unimplemented (#5.5.1)"), "500 5.5.1 unimplemented (#5.5.1)");
    EXPECT_EQ(with_status("DATA", "421 timeout (#4.4.2)"), "421 4.4.2 timeout (#4.4.2)");
    EXPECT_EQ(with_status("RCPT", "550 no (#5.7.25)"), "550 5.7.25 no (#5.7.25)");
}

TEST(ReplyStatus, TheTableComesFirst) {
    EXPECT_EQ(with_status("MAIL", "250 ok"), "250 2.1.0 ok");
    EXPECT_EQ(with_status("RCPT", "250 ok"), "250 2.1.5 ok");
    EXPECT_EQ(with_status("NOOP", "250 ok"), "250 2.0.0 ok");
    EXPECT_EQ(with_status("AUTH", "235 ok, go ahead (#2.0.0)"), "235 2.7.0 ok, go ahead (#2.0.0)");
    EXPECT_EQ(with_status("AUTH", "535 authentication failed (#5.7.1)"),
              "535 5.7.8 authentication failed (#5.7.1)");
    EXPECT_EQ(with_status("STARTTLS", "454 TLS not available (#4.7.0)"),
              "454 4.7.0 TLS not available (#4.7.0)");
}

TEST(ReplyStatus, IsOfTheClassOfTheCode) {
    // The text of an administrator or of a filter says what it likes.
    EXPECT_EQ(with_status("RCPT", "553 no relaying"), "553 5.0.0 no relaying");
    EXPECT_EQ(with_status("DATA", "554 spam (#4.7.1)"), "554 5.0.0 spam (#4.7.1)");
    EXPECT_EQ(with_status("DATA", "554 5.7.1 spam"), "554 5.7.1 spam");
    EXPECT_EQ(with_status("DATA", "554 4.7.1 spam"), "554 5.0.0 4.7.1 spam");
    for (const char* text : {"554 a (#5.x.1)", "554 a (#5.7)", "554 a (#5.7.1234)", "554 a (#"})
        EXPECT_EQ(with_status("DATA", text).substr(0, 10), "554 5.0.0 ") << text;
}

TEST(ReplyStatus, OtherRepliesStay) {
    for (const char* reply : {"354 go ahead", "334 VXNlcm5hbWU6", "250", "250-more", "", "x"})
        EXPECT_EQ(with_status("DATA", reply), reply);
    EXPECT_EQ(with_status("EHLO", "250 SIZE 0"), "250 SIZE 0");
    EXPECT_EQ(with_status("HELO", "501 HELO takes the name of the client (#5.5.4)"),
              "501 HELO takes the name of the client (#5.5.4)");
}

}  // namespace
}  // namespace relais::smtpd
