#include "smtpd/results_filter.h"

#include <gtest/gtest.h>

namespace relais::smtpd {
namespace {

const std::string our_field = "Authentication-Results: Mail.test; spf=pass\n\tsmtp.mailfrom=a@b.example\n";
const std::string their_field = "authentication-results :other.test; dkim=pass\n";

std::string filtered(const std::string& text, std::size_t step) {
    ResultsFilter filter(true, "mail.test");
    std::string out;
    for (std::size_t at = 0; at < text.size(); at += step) {
        std::string piece = text.substr(at, step);
        filter.feed(piece);
        out += piece;
    }
    return out + filter.finish();
}

TEST(ResultsFilter, TakesOutFieldsOfOurNameWhereverTheyAreCut) {
    const std::string message =
        "From: a\n" + our_field + "Subject: x\n" + their_field + our_field + "To: b\n\n" + our_field;
    for (std::size_t step = 1; step <= message.size(); ++step)
        ASSERT_EQ(filtered(message, step), "From: a\nSubject: x\n" + their_field + "To: b\n\n" + our_field)
            << step;
}

TEST(ResultsFilter, ReadsTheServerPastCommentsAndCase) {
    EXPECT_EQ(filtered("AUTHENTICATION-RESULTS: (me) MAIL.TEST (you) 1; none\n\nx\n", 7), "\nx\n");
    EXPECT_EQ(filtered("Authentication-Results:\n mail.test; none\n\nx\n", 7), "\nx\n");
    EXPECT_EQ(filtered("Authentication-Results-Not: mail.test; none\n\n", 7),
              "Authentication-Results-Not: mail.test; none\n\n");
}

TEST(ResultsFilter, AHeaderWithoutABodyIsWholeToo) {
    EXPECT_EQ(filtered("Subject: x\n" + our_field, 5), "Subject: x\n");
    EXPECT_EQ(filtered("Subject: x\n" + their_field, 5), "Subject: x\n" + their_field);
    EXPECT_EQ(filtered("Subject: no end", 5), "Subject: no end");
}

TEST(ResultsFilter, ALongFieldIsJudgedByItsBeginning) {
    std::string fold = "\n " + std::string(900, 'x');
    std::string folds;
    for (int i = 0; i < 200; ++i) folds += fold;
    EXPECT_EQ(filtered("Authentication-Results: mail.test; none" + folds + "\nTo: b\n\n", 4096), "To: b\n\n");
    const std::string other = "Authentication-Results: other.test; none" + folds + "\nTo: b\n\n";
    EXPECT_EQ(filtered(other, 4096), other);
    const std::string endless =
        "Authentication-Results: mail.test; " + std::string(300000, 'y') + "\nTo: b\n\n";
    EXPECT_EQ(filtered(endless, 65536).find("mail.test"), std::string::npos);
}

TEST(ResultsFilter, TheRestOfALongLineIsNoLineOfItsOwn) {
    const std::string long_line = "X-Long: " + std::string(ResultsFilter::field_limit - 8, 'x');
    ResultsFilter filter(true, "mail.test");
    std::string out;
    // Cut just before its line end, which is not the end of the header; and before what looks like a field.
    for (std::string piece : {long_line, "\n" + our_field, long_line, our_field + "\n", our_field}) {
        filter.feed(piece);
        out += piece;
    }
    EXPECT_EQ(out + filter.finish(), long_line + "\n" + long_line + our_field + "\n" + our_field);
}

TEST(ResultsFilter, ALongLineOfOursLeavesNothingBehind) {
    const std::string endless =
        "Authentication-Results: mail.test; " + std::string(300000, 'y') + "\nTo: b\n\n";
    for (const std::size_t step : {1000, 65536, 70000})
        EXPECT_EQ(filtered(endless, step), "To: b\n\n") << step;
}

TEST(ResultsFilter, ALongFieldCannotHideItsServer) {
    const std::string begin = "Authentication-Results: (";
    for (std::size_t hidden = ResultsFilter::field_limit - 60; hidden < ResultsFilter::field_limit + 10;
         ++hidden) {
        const std::string message =
            begin + std::string(hidden, 'c') + ") mail.test; dmarc=pass " + std::string(40, 'y') + "\n";
        EXPECT_EQ(filtered(message + " fold\nTo: b\n\n", 4096), "To: b\n\n") << hidden;
    }
}

TEST(ResultsFilter, PassesEverythingOnWhenItIsNotAsked) {
    ResultsFilter filter(false, "mail.test");
    std::string text = our_field;
    filter.feed(text);
    EXPECT_EQ(text + filter.finish(), our_field);
}

}  // namespace
}  // namespace relais::smtpd
