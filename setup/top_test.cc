#include "setup/top_picture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/columns.h"
#include "base/text.h"

namespace relais::setup {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::string_view stat =
    "known 5\nnew 1\nwaiting 3\nlocal-running 0\n"
    "destination far.test: 2 running, 6 queued, 1 waiting, usually 350 ms\n"
    "destination down.test: 0 running, 0 queued, 40 waiting, in back-off for 5 minutes: refused\n"
    "destination odd: name: 1 running, 0 queued, 0 waiting\n"
    "destination nonsense\ndestination x: 1 running\n";
constexpr std::string_view running =
    "delivery 5: msg 17 to remote far.test for a@far.test, since 30 Nov 2026 21:00:00 GMT (12 seconds)\n"
    "delivery 6: msg 18 to remote far.test for b, since 1 Jan@far.test, since 30 Nov 2026 21:00:00 GMT (3 "
    "minutes), "
    "from before the last restart\n"
    "delivery 7: msg 19 to local bob, since 30 Nov 2026 21:00:00 GMT (2 hours)\nand 3 more\n";

TopPicture some_picture() {
    TopPicture picture;
    picture.instance = "/var/qmail";
    picture.now = 1'796'072'400;
    picture.levels.known = true;
    picture.levels.looked = picture.now;
    picture.levels.queue = 47;
    picture.levels.limit_local = 10;
    picture.levels.running_remote = 10;
    picture.levels.limit_remote = 20;
    for (auto& rates : picture.rates) rates = {0, 1, 2, 12.5};
    picture.destinations = destinations_of(stat, running);
    return picture;
}

TEST(TopWords, DestinationsAreReadAndWhoHasMostIsFirst) {
    const auto all = destinations_of(stat, running);
    ASSERT_EQ(all.size(), 4U);
    EXPECT_EQ(all[0].name, "down.test");
    EXPECT_EQ(all[0].waiting, 40U);
    EXPECT_EQ(all[0].trouble, "in back-off for 5 minutes: refused");
    EXPECT_EQ(all[1].name, "far.test");
    EXPECT_EQ(all[1].running, 2U);
    EXPECT_EQ(all[1].queued, 6U);
    EXPECT_EQ(all[1].usual, 350U);
    EXPECT_EQ(all[1].longest, 180U);
    EXPECT_EQ(all[2].name, "odd: name");
    EXPECT_EQ(all[3].name, "bob");
    EXPECT_EQ(all[3].longest, 7200U);
    EXPECT_EQ(number_of(stat, "waiting"), 3U);
    EXPECT_EQ(number_of(stat, "wait"), 0U);
}

TEST(TopWords, WhatCommandsATerminalIsNotShown) {
    const auto all =
        destinations_of("destination a\033[2Jb\xff: 1 running, 0 queued, 0 waiting, \033]0;x\007\n",
                        "delivery 1: msg 1 to local \033c, since x GMT (1 seconds)\n");
    ASSERT_EQ(all.size(), 2U);
    EXPECT_EQ(all[0].name, "a_[2Jb_");
    EXPECT_EQ(all[0].trouble, "_]0;x_");
    EXPECT_EQ(all[1].name, "_c");
}

TEST(TopPicture, AllOfItStandsThere) {
    const std::string text = draw(some_picture(), {});
    EXPECT_THAT(text, HasSubstr("relais /var/qmail"));
    EXPECT_THAT(text, HasSubstr("refused clients             12     3.9"));
    EXPECT_THAT(text, HasSubstr("remote              10 of 20  ####################....................\n"));
    EXPECT_THAT(text, HasSubstr("Queue: 47 messages"));
    EXPECT_THAT(text, HasSubstr("in back-off for"));
    EXPECT_THAT(text, HasSubstr("bob"));
    EXPECT_THAT(text, HasSubstr("350 ms"));
    EXPECT_THAT(text, Not(HasSubstr("\033")));
    EXPECT_THAT(text, Not(HasSubstr("!")));
}

TEST(TopPicture, NoLineIsWiderAndNoneMoreThanTheWindow) {
    TopPicture picture = some_picture();
    picture.destinations.push_back({"ÜñïçÖdé.例え.テスト", 1, 2, 3, 4, 5, std::string(500, 'x')});
    for (const unsigned columns : {1U, 5U, 20U, 39U, 59U, 60U, 80U, 300U})
        for (const unsigned rows : {1U, 2U, 7U, 12U, 24U, 60U}) {
            const std::string text = draw(picture, {columns, rows, false, false});
            const auto lines = split(text, '\n');
            EXPECT_LE(lines.size(), rows + 1) << columns;
            for (const auto line : lines)
                EXPECT_EQ(fit(line, columns).substr(0, line.size()), line) << columns;
        }
}

TEST(TopPicture, SequencesAreOursAlone) {
    const std::string text = draw(some_picture(), {80, 24, true, true});
    EXPECT_THAT(text, HasSubstr("\033[7mrelais"));
    EXPECT_THAT(text, HasSubstr("▁"));
}

TEST(TopPicture, WhatIsWrongStandsOnTop) {
    TopPicture picture = some_picture();
    picture.silence = "qmail-send does not run";
    EXPECT_THAT(draw(picture, {}), HasSubstr("! qmail-send does not run\n"));
    picture.silence = "";
    picture.levels.looked -= 100;
    EXPECT_THAT(draw(picture, {}), HasSubstr("! qmail-send has counted nothing for 100 seconds\n"));
    EXPECT_THAT(draw(TopPicture{}, {}), HasSubstr("! there are no counters"));
}

}  // namespace
}  // namespace relais::setup
