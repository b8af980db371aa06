#include "remote/report.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>

namespace relais::remote {
namespace {

using send::Outcome;

TEST(Report, ClassicOutput) {
    const Result result{
        {{Outcome::success, ""}, {Outcome::permanent, "no\n"}}, {Letter::accepted, "yes\n"}, "", false};
    EXPECT_EQ(classic_output(result), std::string("r\0hno\n\0Kyes\n\0", 13));
    EXPECT_EQ(classic_output({{}, {Letter::temporary, std::string("a\0b", 3)}, "", false}),
              std::string("Za?b\0", 5));
}

TEST(Report, WhoWasNotReachedAndWhy) {
    EXPECT_EQ(no_connection({}, {}).text, "Sorry, I wasn't able to establish an SMTP connection. (#4.4.1)\n");
    EXPECT_EQ(no_connection({{{"192.0.2.1", 25}, ECONNREFUSED}, {{"2001:db8::1", 2525}, ETIMEDOUT}},
                            {{"192.0.2.2", 25}})
                  .text,
              "Sorry, I wasn't able to establish an SMTP connection. (#4.4.1)\n"
              "192.0.2.1:25: Connection refused\n[2001:db8::1]:2525: Connection timed out\n"
              "192.0.2.2:25: not tried again yet, for it let us wait a short time ago\n");
    const std::vector<net::ConnectFailure> many(50, {{"192.0.2.1", 25}, ENETUNREACH});
    const std::string text = no_connection(many, {}).text;
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 12);
    EXPECT_TRUE(text.ends_with("\nand 40 more addresses\n"));
}

TEST(Report, EachRecipientOfTheOrderIsAnswered) {
    // The connection died after two answers: what was refused stays refused, all else is tried again.
    const Result died{
        {{Outcome::success, ""}, {Outcome::permanent, "no\n"}}, {Letter::temporary, "died\n"}, "g", false};
    const send::Report report = to_report(died, 4);
    ASSERT_EQ(report.recipients.size(), 4U);
    EXPECT_EQ(report.recipients[0].outcome, Outcome::temporary);
    EXPECT_EQ(report.recipients[0].text, "died");
    EXPECT_EQ(report.recipients[1].outcome, Outcome::permanent);
    EXPECT_EQ(report.recipients[1].text, "no\ndied");
    EXPECT_EQ(report.recipients[3].outcome, Outcome::temporary);
    EXPECT_EQ(report.mx_group, "g");
}

TEST(Report, EachRecipientHasItsStatusAndTheReplyThatDecided) {
    Result result{{{Outcome::permanent, "192.0.2.1 does not like recipient.\n", "", "550 5.1.1 no such user"},
                   {Outcome::success, ""}},
                  {Letter::temporary, "192.0.2.1 failed after I sent the message.\n", "451 busy"},
                  "",
                  false};
    result.server = "mx.far.test";
    result.server_ip = "192.0.2.1";
    const send::Report report = to_report(result, 2);
    EXPECT_EQ(report.recipients[0].status, "5.1.1");
    EXPECT_EQ(report.recipients[0].diagnostic, "550 5.1.1 no such user");
    EXPECT_EQ(report.recipients[1].status, "4.0.0");
    EXPECT_EQ(report.recipients[1].diagnostic, "451 busy");
    EXPECT_EQ(report.server, "mx.far.test");
    EXPECT_EQ(to_report({{}, no_such_host("x.test"), "", false}, 1).recipients[0].status, "5.1.2");
}

TEST(Report, AVerdictOverTheMessageIsForThoseItWasAcceptedFor) {
    const Result result{
        {{Outcome::success, ""}, {Outcome::temporary, "later\n"}}, {Letter::permanent, "bad\n"}, "", false};
    const send::Report report = to_report(result, 2);
    EXPECT_EQ(report.recipients[0].outcome, Outcome::permanent);
    EXPECT_EQ(report.recipients[1].outcome, Outcome::temporary);
}

}  // namespace
}  // namespace relais::remote
