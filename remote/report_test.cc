#include "remote/report.h"

#include <gtest/gtest.h>

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

TEST(Report, AVerdictOverTheMessageIsForThoseItWasAcceptedFor) {
    const Result result{
        {{Outcome::success, ""}, {Outcome::temporary, "later\n"}}, {Letter::permanent, "bad\n"}, "", false};
    const send::Report report = to_report(result, 2);
    EXPECT_EQ(report.recipients[0].outcome, Outcome::permanent);
    EXPECT_EQ(report.recipients[1].outcome, Outcome::temporary);
}

}  // namespace
}  // namespace relais::remote
