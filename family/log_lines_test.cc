#include "family/log_lines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <syslog.h>

#include <vector>

namespace relais::family {
namespace {

using testing::ElementsAre;
using testing::Pair;

struct Log {
    std::vector<std::pair<int, std::string>> entries;
    int stamps = 0;
    LogLines lines{[this](int priority, const std::string& text) { entries.emplace_back(priority, text); },
                   [this] { return std::to_string(++stamps) + ".5"; }};
};

TEST(LogLines, StampsEachLineAndDropsEmptyOnes) {
    Log log;
    log.lines.add("new msg 1\n\nend ");
    log.lines.add("msg 1\n");
    log.lines.finish();
    EXPECT_THAT(log.entries, ElementsAre(Pair(LOG_INFO, "1.5 new msg 1"), Pair(LOG_INFO, "2.5 end msg 1")));
}

TEST(LogLines, PriorityByTheBeginningOfTheLine) {
    Log log;
    log.lines.add(
        "alert: a\nwarning: b\nno: alert: c d\nqmail-start: alert: e\nx: y: alert: z\ninfo warning:\n");
    std::vector<int> priorities;
    for (const auto& [priority, text] : log.entries) priorities.push_back(priority);
    EXPECT_THAT(priorities, ElementsAre(LOG_ALERT, LOG_WARNING, LOG_ALERT, LOG_ALERT, LOG_INFO, LOG_INFO));
}

TEST(LogLines, LongLinesAreFolded) {
    Log log;
    log.lines.add("warning: " + std::string(2000, 'x') + "\nshort\n");
    ASSERT_EQ(log.entries.size(), 4U);
    EXPECT_EQ(log.entries[0].second, "1.5 warning: " + std::string(791, 'x'));
    EXPECT_EQ(log.entries[1], (std::pair{LOG_WARNING, "1.5+" + std::string(800, 'x')}));
    EXPECT_EQ(log.entries[2], (std::pair{LOG_WARNING, "1.5+" + std::string(409, 'x')}));
    EXPECT_EQ(log.entries[3], (std::pair{LOG_INFO, std::string("2.5 short")}));
}

TEST(LogLines, ALineOfExactlyTheLimitIsOneEntry) {
    Log log;
    log.lines.add(std::string(800, 'x') + "\n" + "y\n");
    ASSERT_EQ(log.entries.size(), 2U);
    EXPECT_EQ(log.entries[1].second, "2.5 y");
}

TEST(LogLines, UnprintableOctetsAndALineWithoutEnd) {
    Log log;
    log.lines.add(std::string("a\tb\x80\0c\x7f", 7));
    EXPECT_TRUE(log.entries.empty());
    log.lines.finish();
    log.lines.finish();
    EXPECT_THAT(log.entries, ElementsAre(Pair(LOG_INFO, "1.5 a?b??c?")));
}

}  // namespace
}  // namespace relais::family
