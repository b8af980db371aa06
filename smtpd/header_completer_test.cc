#include "smtpd/header_completer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relais::smtpd {
namespace {

using testing::MatchesRegex;

std::string completed(std::string_view message, std::size_t piece, bool active = true) {
    HeaderCompleter completer(active, "mail.test", 1000000000);
    std::string all;
    for (; !message.empty(); message.remove_prefix(std::min(piece, message.size()))) {
        std::string text(message.substr(0, piece));
        completer.feed(text);
        all += text;
    }
    return all + completer.finish();
}

constexpr const char* date = "Date: 9 Sep 2001 01:46:40 -0000\n";

TEST(HeaderCompleter, AddsWhatIsMissing) {
    for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{10000}}) {
        EXPECT_THAT(completed("Subject: x\n\nDate: in the body\n", piece),
                    MatchesRegex(std::string(date) +
                                 "Message-ID: <1000000000\\.[0-9]+\\.[0-9]+\\.relais@mail\\.test>\n"
                                 "Subject: x\n\nDate: in the body\n"));
        EXPECT_EQ(completed("Message-Id : <a@b>\nSubject: x\n Date: folded\n\nx\n", piece),
                  std::string(date) + "Message-Id : <a@b>\nSubject: x\n Date: folded\n\nx\n");
        const std::string whole = "message-id: <a@b>\nDATE: now\n\nx\n";
        EXPECT_EQ(completed(whole, piece), whole);
    }
}

TEST(HeaderCompleter, OddMessages) {
    const std::string fields = "Date: [^\n]+\nMessage-ID: <[^\n]+>\n";
    EXPECT_THAT(completed("", 10), MatchesRegex(fields + "\n"));
    EXPECT_THAT(completed("\nbody\n", 10), MatchesRegex(fields + "\nbody\n"));
    EXPECT_THAT(completed("no header at all\n", 10), MatchesRegex(fields + "\nno header at all\n"));
    EXPECT_THAT(completed("Subject: x\n", 10), MatchesRegex(fields + "Subject: x\n"));
    EXPECT_THAT(completed("Subject: x\nnot a field\nDate: x\n", 10),
                MatchesRegex(fields + "Subject: x\nnot a field\nDate: x\n"));
}

TEST(HeaderCompleter, LeavesTheRestAlone) {
    EXPECT_EQ(completed("Subject: x\n\nx\n", 10, false), "Subject: x\n\nx\n");
    const std::string endless = "X: " + std::string(HeaderCompleter::header_limit + 5, 'x') + "\n\nbody\n";
    EXPECT_EQ(completed(endless, 65536), endless);
}

}  // namespace
}  // namespace relais::smtpd
